module steward/bench/batches

go 1.19
