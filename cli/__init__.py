"""`itemledger`: the console command. Calls the rooms, holds no logic of its own."""
