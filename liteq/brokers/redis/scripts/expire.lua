-- uses head, tasks, unique, walk
--
-- End those of some ready tasks of a queue that have expired.
--
-- KEYS     the prefix
-- ARGV     now; until when they are kept (empty: for ever); the queue that they are kept in; how
--          many of its tasks to skip; how many to look at
-- Returns  how many it has looked at, and how many have ended

local keep, queue, first, size = next_args(4)
local ended_here = 0

-- Return the expiry of a task: the sixth value in the JSON of its message, see packing.py.
local function expiry_of(id)
  local message = call("HGET", P .. "task:" .. id, "message")
  local read, head = pcall(cjson.decode, message and message:match("^[^\n]*") or "")
  local expires = read and type(head) == "table" and head[6]
  return type(expires) == "number" and expires or nil
end

local members = call("ZRANGE", P .. "ready:" .. queue, first, first + size - 1)
for _, member in ipairs(members) do
  local id = id_of(member)
  local read, expires = try(expiry_of, id)
  local task = read and expires and expires <= now and load_task(id)
  if task and task.phase == READY then
    leave_phase(task)
    call("HSET", task.key, "finished", timestamp)
    finish(task, EXPIRED, keep ~= "" and keep or nil)
    ended_here = ended_here + 1
  end
end
propagate_ends()
return end_script({ #members, ended_here })
