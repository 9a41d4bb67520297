-- uses head, tasks, unique, sending, walk
--
-- Store a task with a unique key that is in no workflow, in place of a finished one of its id. If
-- another task has the key, it is stored to end as that one.
--
-- KEYS     the prefix
-- ARGV     when it was sent, by which it is known if this is run twice; its id; the message, as in
--          sending.lua
-- Returns  1; 0 if a task of that id is kept, or another task has the key; and the id of the task
--          that has the key if it is refused because of that (or nil)

local id = next_arg()
local key = P .. "task:" .. id
if call("EXISTS", key) == 1 then
  local read, fields = try(call, "HMGET", key, "created", "follows")
  if read and fields[1] == timestamp then return { fields[2] and 0 or 1, false } end
  local task = load_task(id)
  if not task or task.phase < SUCCEEDED or is_needed(task) then return { 0, false } end
end

local before = last_arg
local _, _, _, size = next_args(4)
local from, to = skip_args(tonumber(size))
local fields = {}
for at = from, to, 2 do fields[args[at]] = args[at + 1] end
local holder = fields.unique_then == "raise" and holders_of(key_rule(fields), id)[1]
if holder then return { 0, holder.id } end
last_arg = before

local old = call("EXISTS", key) == 1 and load_task(id)
if old then delete_task(old) end
by_caller = true
insert_task(call("INCR", P .. "seq"))
ask_all()
return end_script({ #answered > 0 and 0 or 1, false })
