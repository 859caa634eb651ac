# expect: the note "look at the mesh" below the exception
error = ValueError("no faces")
error.add_note("look at the mesh")
raise error
