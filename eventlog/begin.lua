-- Begin to read a partition: its bell goes down first, so that an append from now on rings; and it is
-- marked that what follows a position was begun, so that a command that kills its process is found.
--
-- KEYS  1 bell  2 head  3 log  4 begun  5 alone  6 done
-- ARGV  1 the position the ledger has
-- Reply {how many times what follows that position was begun, this time included, or 0 where nothing
--       does; the position of the command that was last begun alone, or ''; the position up to which
--       the ledger's commits were tidied up after, or '', done}

redis.call('DEL', KEYS[1])
local done = redis.call('GET', KEYS[6]) or ''
local head = redis.call('HMGET', KEYS[2], 'epoch', 'n')
local last = head[1] and head[1] .. '-' .. head[2]
if head[2] == '0' then
  -- A new epoch nothing was appended in: older ones may not be read to their end.
  local newest = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)
  last = newest[1] and newest[1][1]
end
if not last or last == ARGV[1] then
  return {0, '', done}
end
local begun = redis.call('HMGET', KEYS[4], 'after', 'times')
local times = 1
if begun[1] == ARGV[1] then
  times = tonumber(begun[2]) + 1
end
-- A full server takes no marks; what waits is read all the same.
redis.pcall('HSET', KEYS[4], 'after', ARGV[1], 'times', times)
return {times, redis.call('HGET', KEYS[5], 'at') or '', done}
