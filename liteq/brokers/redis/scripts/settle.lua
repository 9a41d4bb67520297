-- uses head, tasks, sending, walk, leases, claiming, events, output, settling
--
-- Settle claimed tasks, and claim the next ones.
--
-- KEYS     the prefix
-- ARGV     now; the number of settlements, and these, see settling.lua; perhaps a claim, as in
--          claim.lua
-- Returns  the numbers, from 0, of settlements that were refused because the claim was lost; the
--          deliveries; the numbers of those whose task is set aside, as its record is unusable; and
--          the keys of queues that cannot be claimed from, as another program has written there

local refused, unusable = read_and_settle()
propagate_ends()
local claimed = {}
if more_args() then claimed = read_and_claim() end
return end_script({ refused, claimed, unusable, overwritten })
