-- uses head, tasks, unique, walk
--
-- Make tasks ready again that ended without success, as if they had never been tried.
--
-- KEYS     the prefix
-- ARGV     now; id and message of each
-- Returns  the ids of the tasks that are ready again

local OUTCOMES = {
  [FAILED] = "failed", [DEAD] = "dead", [CANCELLED] = "cancelled", [SKIPPED] = "skipped",
}
local found = {}
while more_args() do
  local id, message = next_args(2)
  local task = load_task(id)
  if task and task.phase > SUCCEEDED then
    local started, finished, traceback =
      unpack(call("HMGET", task.key, "started", "finished", "traceback"))
    local outcome = OUTCOMES[task.phase]
    if started and outcome then add_attempt(task, finished or "", outcome, traceback or "") end
    leave_phase(task)
    call("HDEL", task.key, "eta", "started", "finished", "keep", "revoked", "terminate", "lost",
      "result", "serializer", "traceback", "reported")
    task.queue = task.queue:match("^[^\n]*") -- if it was left: see passing.lua
    call("HSET", task.key, "message", message, "queue", task.queue)
    task.eta, task.keep, task.revoked = nil, nil, nil
    enter_phase(task, READY)
    if task.unique then
      call("HDEL", task.key, "expires")
      stop_following(task)
      ask(task)
    end
    undo_skips(id)
    found[#found + 1] = id
  end
end
return end_script(found)
