-- uses head
-- now, ids... Answers for each id all fields of the task, and the name of its worker.

local found = {}
for n = 2, #ARGV do
  local fields = call("HGETALL", P .. "task:" .. ARGV[n])
  if #fields == 0 then
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
