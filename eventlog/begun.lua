-- Mark that something was begun, so that what kills its process is found out.
--
-- KEYS  1 a mark
-- ARGV  1 what was begun  2 who begins it
-- Reply how many processes have begun this and nothing else since; 0 where no mark can be made
--
-- The same process counts once: it lives, or the client has only repeated the call.

local mark = redis.call('HMGET', KEYS[1], 'what', 'who', 'times')
local times = 1
if mark[1] == ARGV[1] then
  times = tonumber(mark[3])
  if mark[2] == ARGV[2] then
    return times
  end
  times = times + 1
end
local made = redis.pcall('HSET', KEYS[1], 'what', ARGV[1], 'who', ARGV[2], 'times', times)
if type(made) == 'table' and made.err then
  return 0
end
return times
