-- uses head, tasks, unique
--
-- Return who has unique keys.
--
-- KEYS     the prefix
-- ARGV     now, keys...
-- Returns  for each key the id of the task that has it, the newest one of several; nil for none

local found = {}
for n = 2, #args do
  local holder = holders_of({ key = args[n] })[1]
  found[n - 1] = holder and holder.id or false
end
return end_script(found)
