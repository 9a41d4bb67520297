-- uses head
--
-- Add to statistics. Each period is a hash, with the fields
-- `<queue>\n<task>\n<outcome>\n<number|ran|waited|runs:<bucket>|waits:<bucket>>`.
--
-- KEYS     the prefix
-- ARGV     now; the id of the call; and of each number that is added: the period as
--          `<seconds>:<start>`, for how many seconds that is kept, field, number
-- Returns  1

local known = P .. "counted:" .. next_arg()
if call("EXISTS", known) == 1 then return 1 end -- the reply to this call was lost
call("SET", known, 1, "EX", 600)
while more_args() do
  local period, keep, field, number = next_args(4)
  local key = P .. "stat:" .. period
  -- What another program has written there is not counted on.
  if try(call, "HINCRBYFLOAT", key, field, number) then call("EXPIRE", key, keep) end
end
return 1
