# expect: fails at once, because nobody can answer the debugger
breakpoint()
