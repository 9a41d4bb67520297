-- uses head, tasks, sending, walk, leases, events, output, settling
--
-- Write what a rescuer decided about the claims of a dead worker, unless that worker has renewed
-- its lease, has claimed more since its claims were read, or another rescuer was faster.
-- Nor while the server has not heard from any worker: the first heartbeat renews all leases.
--
-- KEYS     the prefix
-- ARGV     now, worker, whether its process has exited; the number of claims that were read,
--          and the token of each; the number of claims to release, and
--          id and token of each; the number of settlements, and these, see settling.lua
-- Returns  whether it was written: 1 or 0

local worker, exited = next_arg(), next_arg() == "1"
local lease = call("ZSCORE", P .. "leases", worker)
if not lease then return 0 end
if not exited then
  local owner = call("HGET", P .. "worker:" .. worker, "owner") or ""
  if is_silent() or not has_ended(lease, owner) then return 0 end
end
local known = {}
for _ = 1, tonumber(next_arg()) do known[next_arg()] = true end
local running, tokens = call("ZRANGE", P .. "running:" .. worker, 0, -1), {}
for n, member in ipairs(running) do
  tokens[n] = token_of_claim(id_of(member), worker)
  if tokens[n] and not known[tokens[n]] then return 0 end -- decided again, with this one
end
call("ZREM", P .. "leases", worker)
call("ZADD", P .. "workers", timestamp, worker)
call("HSET", P .. "worker:" .. worker, "stopped", timestamp, "struck", 1)
call("HDEL", P .. "worker:" .. worker, "handed")

-- If the worker was only late, it has to terminate these tasks, see to_terminate.lua.
for n, member in ipairs(running) do
  if tokens[n] == "" then
    set_aside(id_of(member), "its claim has no token")
  elseif tokens[n] then
    call("RPUSH", P .. "lost:" .. worker, id_of(member), tokens[n])
  else
    call("ZREM", P .. "running:" .. worker, member) -- the task was deleted
  end
end
call("EXPIRE", P .. "lost:" .. worker, 3600)

for _ = 1, tonumber(next_arg()) do
  local id, token = next_args(2)
  local task = load_task(id)
  if task and task.phase == RUNNING and task.token == token then unclaim(task) end
end
read_and_settle()
propagate_ends()
return end_script(1)
