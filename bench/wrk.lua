-- What wrk asks for, and its findings as one line of JSON.
--
--     wrk ... -s wrk.lua URL                   always the URL
--     wrk ... -s wrk.lua URL -- mix FILE       the paths of FILE, one after the other
--     wrk ... -s wrk.lua URL -- renewed FILE   the request in FILE, read again now and then
--
-- Requests are made before the clock starts; wrk builds none where `request` is not defined.

local EVERY = 64 -- requests between two looks at FILE

local function whole(name)
  local file = assert(io.open(name))
  local text = file:read("*a")
  file:close()
  return text
end

function init(arguments)
  local mode, file = arguments[1], arguments[2]
  if mode == "mix" then
    local requests, at = {}, 0
    for path in io.lines(file) do
      requests[#requests + 1] = wrk.format("GET", path)
    end
    local count = #requests
    request = function()
      at = at % count + 1
      return requests[at]
    end
  elseif mode == "renewed" then
    local text, left = whole(file), EVERY
    request = function()
      left = left - 1
      if left == 0 then
        text, left = whole(file), EVERY
      end
      return text
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests": %d, "bytes": %d, "micros": %d, "p50": %d, "p99": %d, "refused": %d, "failed": %d}',
    summary.requests, summary.bytes, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
