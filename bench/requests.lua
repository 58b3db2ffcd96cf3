-- wrk sends the requests of a file, in their order, from the given one on.
local requests, count, at = {}, 0, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local data = file:read("*a")
  file:close()
  local place = 1
  while place <= #data do
    local a, b, c, d = data:byte(place, place + 3)
    local length = ((a * 256 + b) * 256 + c) * 256 + d
    count = count + 1
    requests[count] = data:sub(place + 5, place + 4 + length)
    place = place + 5 + length
  end
  -- wrk asks for one request more at first, to see what it is, and does not send it.
  at = (tonumber(args[2]) - 1) % count
end

function request()
  at = at % count + 1
  return requests[at]
end

function done(summary, latency)
  io.write(string.format(
    '\n{"seconds": %f, "count": %d, "failed": %d, "lost": %d, "p50": %f, "p99": %f}\n',
    summary.duration / 1e6, summary.requests, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
