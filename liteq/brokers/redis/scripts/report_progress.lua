-- uses head
--
-- Store how far claimed tasks have come. What is reported of a lost claim is dropped.
--
-- KEYS     the prefix
-- ARGV     now; id, token and value of each
-- Returns  1

while more_args() do
  local id, token, value = next_args(3)
  local key = P .. "task:" .. id
  local read, fields = try(call, "HMGET", key, "phase", "token", "attempts")
  if read and fields[1] == tostring(RUNNING) and fields[2] == token then
    local attempt = string.format("%.0f", tonumber(number_in(fields[3]) or "0") + 1)
    call("HSET", key, "progress", token .. " " .. attempt .. " " .. value)
    call("PUBLISH", P .. "news:progress:" .. id, "")
  end
end
return 1
