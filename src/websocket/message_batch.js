/** What a `batch` handler gets: the messages of one read. `ReadBatch` is the one that makes it true. */
export {};
