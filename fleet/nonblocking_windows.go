package fleet

// nonBlocking is nothing: no Blender is confined on Windows.
const nonBlocking = 0
