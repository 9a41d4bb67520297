-- uses head
--
-- Return all that is known of tasks.
--
-- KEYS     the prefix
-- ARGV     now, ids...
-- Returns  for each id the fields and values of the task, with `worker_name` added; nil for an
--          unknown one (`stored_of` in replies.py)

local found = {}
for n = 2, #args do
  local read, fields = try(call, "HGETALL", P .. "task:" .. args[n])
  if not read or #fields == 0 then
    found[n - 1] = false
  else
    for at = 1, #fields, 2 do
      if fields[at] == "worker" then
        fields[#fields + 1] = "worker_name"
        fields[#fields + 1] = call("HGET", P .. "worker:" .. fields[at + 1], "name") or ""
        break
      end
    end
    found[n - 1] = fields
  end
end
return found
