-- Accept a list of commands into one partition's log: all or none, each at most once.
--
-- KEYS  1 head  2 log  3 bell  4 epochs  5.. one per command: where its id is remembered
-- ARGV  1 seconds the bell stays up  then per command: body, fingerprint
-- Reply {bell was down: 1|0, {position, 0: appended | 1: known before, fingerprint}, ...}
--       {'', 2: not appended, why} for a new one that stands beside known ones and is refused
--
-- An error that begins with REFUSED was raised before the first write: nothing was accepted.

local FIXED = 4
local count = #KEYS - FIXED

local function refused(why)
  return redis.error_reply('REFUSED ' .. why)
end

if count < 1 or #ARGV ~= 1 + 2 * count then
  return refused('the script wants a body and a fingerprint per command')
end
for i = 1, count do
  if ARGV[2 * i] == '' then
    return refused('command ' .. i .. ' has no body')
  end
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

if head[1] ~= run_id then
  -- The server restarted or another took over: it may have come back without its last entries,
  -- so positions of the old epoch are never given out again.
  if head[2] then
    redis.call('HSET', KEYS[4], head[2], head[3])
  end
  local time = redis.call('TIME')
  epoch = math.max(epoch + 1, tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000))
  n = 0
  redis.call('HSET', KEYS[1], 'run_id', run_id, 'epoch', string.format('%.0f', epoch), 'n', '0')
end

for _, i in ipairs(new) do
  local id, body, fingerprint = KEYS[FIXED + i], ARGV[2 * i], ARGV[2 * i + 1]
  -- Asked again: the same id may stand twice in one call.
  local first = redis.call('GET', id)
  if first then
    known(i, first)
  else
    local position = string.format('%.0f-%.0f', epoch, n + 1)
    redis.call('XADD', KEYS[2], position, 'c', body)
    n = n + 1
    redis.call('HSET', KEYS[1], 'n', string.format('%.0f', n))
    redis.call('SET', id, position .. ' ' .. fingerprint)
    reply[i + 1] = {position, 0, fingerprint}
  end
end
return reply
