-- uses head, tasks, walk
-- now, ids... Answers how many there were.

local n = 0
while position < #ARGV do
  local t = load(take())
  if t and t.phase >= SUCCEEDED and not needed(t) then
    delete(t)
    n = n + 1
  end
end
return done(n)
