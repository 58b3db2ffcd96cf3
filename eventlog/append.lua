-- Accept a list of entries into one partition's log: all or none, each at most once. An entry is a
-- command, or several that travel together; each command has a position of its own.
--
-- KEYS  1 head  2 log  3 bell  4 epochs  5.. one per entry: where its id is remembered
-- ARGV  1 seconds the bell stays up
--       2 why nothing new is accepted, '' while it is
--       3 a digit per entry where 2 is not '': 1 for one that is held to it
--       4 5 the epoch and n of the last position that the caller knows was given out
--       6 how many commands each entry has, as numbers with commas; '' where each is one
--       then per entry: body, fingerprint
-- Reply {bell was down: 1|0, {position, 0: appended | 1: known before, fingerprint}, ...}
--       where the position is that of the entry's last command
--       {'', 2: refused by the server, why} for a new one that stands beside known ones
--       {'', 3: refused by the caller's own 2, why} for a new one
--
-- An error that begins with REFUSED was raised before the first write: nothing was accepted.

local FIXED, FIRST = 4, 6
local count = #KEYS - FIXED

local function refused(why)
  return redis.error_reply('REFUSED ' .. why)
end

if count < 1 or #ARGV ~= FIRST + 2 * count then
  return refused('the script wants a body and a fingerprint per entry')
end
for i = 1, count do
  if ARGV[FIRST + 2 * i - 1] == '' then
    return refused('entry ' .. i .. ' has no body')
  end
end
local widths = {}
for each in string.gmatch(ARGV[6], '[^,]+') do
  local width = tonumber(each)
  if not width or width < 1 or width % 1 ~= 0 then
    return refused('no entry has ' .. each .. ' commands')
  end
  widths[#widths + 1] = width
end
if #widths ~= 0 and #widths ~= count then
  return refused('it is not said of every entry how many commands it has')
end
for i, wanted in ipairs({'hash', 'stream', 'string', 'hash'}) do
  local found = redis.call('TYPE', KEYS[i]).ok
  if found ~= 'none' and found ~= wanted then
    return refused(KEYS[i] .. ' is a ' .. found .. ', not a ' .. wanted)
  end
end
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if not run_id then
  return refused('the server does not tell its run_id')
end

local head = redis.call('HMGET', KEYS[1], 'run_id', 'epoch', 'n')
local epoch = tonumber(head[2] or 0)
local n = tonumber(head[3] or 0)

-- What was accepted before is answered without a write, whatever the server's state: to say of it
-- that it was not accepted would be untrue.
local reply = {0}
local new = {}
local function known(place, first)
  local position, accepted_with = string.match(first, '^(%S+) (.*)$')
  reply[place + 1] = {position, 1, accepted_with}
end
for i = 1, count do
  local first = redis.call('GET', KEYS[FIXED + i])
  if first then
    known(i, first)
  elseif ARGV[2] ~= '' and string.sub(ARGV[3], i, i) == '1' then
    reply[i + 1] = {'', 3, ARGV[2]}
  else
    new[#new + 1] = i
  end
end
if #new == 0 then
  return reply
end

-- Raised before anything is appended: a bell too many only wakes a worker for nothing. It is the
-- first write, so a server that takes none (full, read-only) answers here, before any harm.
local bell = redis.pcall('SET', KEYS[3], '1', 'EX', ARGV[1], 'GET')
if type(bell) == 'table' and bell.err then
  if #new == count then
    return refused(bell.err)
  end
  for _, i in ipairs(new) do
    reply[i + 1] = {'', 2, bell.err}
  end
  return reply
end
reply[1] = bell and 0 or 1

local floor, floor_n = tonumber(ARGV[4]), tonumber(ARGV[5])
if head[1] ~= run_id or epoch < floor or (epoch == floor and n < floor_n) then
  -- The server restarted, another took over, or its data was set back under it: it may have come
  -- back without its last entries, so positions of the old epoch are never given out again. The
  -- caller's knowledge counts as well, for a clock may be set back together with the data.
  if head[2] then
    redis.call('HSET', KEYS[4], head[2], head[3])
  end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  epoch = math.max(epoch + 1, floor + 1, now)
  n = 0
  redis.call('HSET', KEYS[1], 'run_id', run_id, 'epoch', string.format('%.0f', epoch), 'n', '0')
end

for _, i in ipairs(new) do
  local id = KEYS[FIXED + i]
  local body, fingerprint = ARGV[FIRST + 2 * i - 1], ARGV[FIRST + 2 * i]
  -- Asked again: the same id may stand twice in one call.
  local first = redis.call('GET', id)
  if first then
    known(i, first)
  else
    local width = widths[i] or 1
    local position = string.format('%.0f-%.0f', epoch, n + width)
    if width == 1 then
      redis.call('XADD', KEYS[2], position, 'c', body)
    else
      redis.call('XADD', KEYS[2], position, 'c', body, 'w', width)
    end
    n = n + width
    redis.call('HSET', KEYS[1], 'n', string.format('%.0f', n))
    redis.call('SET', id, position .. ' ' .. fingerprint)
    reply[i + 1] = {position, 0, fingerprint}
  end
end
return reply
