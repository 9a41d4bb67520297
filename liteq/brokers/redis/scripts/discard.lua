-- uses head, tasks, walk
-- now; the number of tasks, and their ids; ids of groups.

for _ = 1, tonumber(take()) do
  local t = load(take())
  if t and t.phase ~= RUNNING then delete(t) end
end
while position < #ARGV do
  local id = take()
  call("DEL", P .. "group:" .. id, P .. "members:" .. id, P .. "inner:" .. id, P .. "open:" .. id,
    P .. "failed:" .. id, P .. "barrier:" .. id)
end
return done(1)
