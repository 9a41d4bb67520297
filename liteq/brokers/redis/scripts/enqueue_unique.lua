-- uses head, tasks, unique, sending
--
-- Store tasks of which some have unique keys: single ones, or a workflow, unless its first task is
-- known. Nothing is stored if one is refused.
--
-- KEYS     the prefix
-- ARGV     now; of a workflow the id of the first message (else empty); the number of messages, and
--          these; the number of groups, and these (`graph_args` in arguments.py)
-- Returns  the id of a task that is refused, or nil, and of the task that has its key; the ids of
--          those that do not run, and of the tasks that have their keys, by turns

local first = next_arg()
if first ~= "" and call("EXISTS", P .. "task:" .. first) == 1 then return { false, false, {} } end

-- Return the id of a message that says it is to be refused, and of the task that has its key.
local function find_refused()
  local taken, seen = {}, {}
  for _ = 1, tonumber(next_arg()) do
    local id, _, _, size = next_args(4)
    local from, to = skip_args(tonumber(size))
    local task = { id = id }
    for at = from, to, 2 do task[args[at]] = args[at + 1] end
    local is_new = not seen[id] and call("EXISTS", P .. "task:" .. id) == 0
    seen[id] = true
    if task.unique and not task.waits and is_new then
      local rule = key_rule(task)
      local held = not taken[rule.key] and holders_of(rule, id)[1]
      local holder = taken[rule.key] or (held and held.id)
      if holder and rule.policy == "raise" then return id, holder end
      taken[rule.key] = holder or id
    end
  end
end

local before = last_arg
local refused, holder = find_refused()
if refused then return { refused, holder, {} } end
last_arg = before
by_caller, keeps_ids = true, first ~= ""
insert_graph()
ask_all()
return end_script({ false, false, answered })
