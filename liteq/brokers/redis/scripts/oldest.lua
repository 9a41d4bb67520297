-- uses head
--
-- Return since when the oldest task that is ready may run. Of each priority the first is looked at,
-- so that it takes no longer where very many are ready.
--
-- KEYS     the prefix
-- ARGV     now, queues
-- Returns  the time, as a text; nil if none is ready

local MOST = 100 -- priorities of a queue
local oldest

local function look_at(id)
  local created, eta = unpack(call("HMGET", P .. "task:" .. id, "created", "eta"))
  created, eta = number_in(created), number_in(eta)
  if not created then return end
  local since = created
  if eta and tonumber(eta) > tonumber(created) then since = eta end
  if not oldest or tonumber(since) < tonumber(oldest) then oldest = since end
end

local function look_at_queue(key)
  local above = "-inf"
  for _ = 1, MOST do
    local first = call("ZRANGEBYSCORE", key, above, "+inf", "WITHSCORES", "LIMIT", 0, 1)
    if not first[1] then return end
    look_at(id_of(first[1]))
    above = "(" .. first[2]
  end
end

while more_args() do try(look_at_queue, P .. "ready:" .. next_arg()) end
return oldest
