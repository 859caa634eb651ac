package mcp

// nonBlocking is nothing: Windows has no pipes in folders.
const nonBlocking = 0
