-- Put a fence behind a log that came back shorter than it was: a new epoch, beyond all that was ever
-- given out, and what stands behind the fence without having been taken is appended anew.
--
-- KEYS  1 head  2 log  3 epochs  4.. one per entry: where its id is remembered
-- ARGV  1 an epoch to be beyond  2 '1': a new epoch even if the server is the same
--       then per entry: body, fingerprint, how many commands it has
-- Reply the epoch

local FIXED, FIRST = 3, 2
local run_id = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if not run_id then
  return redis.error_reply('REFUSED the server does not tell its run_id')
end
local head = redis.call('HMGET', KEYS[1], 'run_id', 'epoch', 'n')
local epoch = tonumber(head[2] or 0)
local n = tonumber(head[3] or 0)
if head[1] ~= run_id or ARGV[2] == '1' then
  if head[2] then
    redis.call('HSET', KEYS[3], head[2], head[3])
  end
  local time = redis.call('TIME')
  local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  epoch = math.max(epoch + 1, tonumber(ARGV[1]) + 1, now)
  n = 0
  redis.call('HSET', KEYS[1], 'run_id', run_id, 'epoch', string.format('%.0f', epoch), 'n', '0')
end
for i = 1, #KEYS - FIXED do
  local body, fingerprint, width = unpack(ARGV, FIRST + 3 * i - 2, FIRST + 3 * i)
  width = tonumber(width)
  local position = string.format('%.0f-%.0f', epoch, n + width)
  if width == 1 then
    redis.call('XADD', KEYS[2], position, 'c', body)
  else
    redis.call('XADD', KEYS[2], position, 'c', body, 'w', width)
  end
  n = n + width
  redis.call('HSET', KEYS[1], 'n', string.format('%.0f', n))
  redis.call('SET', KEYS[FIXED + i], position .. ' ' .. fingerprint)
end
return string.format('%.0f', epoch)
