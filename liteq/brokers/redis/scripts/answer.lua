-- uses head
--
-- Store the answers to orders, which are then forgotten. Those that are not known are left out.
--
-- KEYS     the prefix
-- ARGV     now, then for each answer: worker, call, and the answer; empty: none is to be stored
-- Returns  1

while more_args() do
  local worker, id, answer = next_args(3)
  local key, answers = P .. "orders:" .. worker, P .. "answers:" .. id
  local keep = call("PTTL", key)
  local read, known = try(call, "HDEL", key, id)
  if read and known == 1 and answer ~= "" and try(call, "HSETNX", answers, worker, answer) then
    if call("PTTL", answers) < keep then call("PEXPIRE", answers, keep) end
    to_notify.results = true
  end
end
return end_script(1)
