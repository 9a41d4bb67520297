-- uses head, tasks, unique, walk
--
-- Delete finished tasks, but for those whose results are still to be handed on.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  how many were deleted

local deleted = 0
while more_args() do
  local task = load_task(next_arg())
  if task and task.phase >= SUCCEEDED and not is_needed(task) then
    delete_task(task)
    deleted = deleted + 1
  end
end
return end_script(deleted)
