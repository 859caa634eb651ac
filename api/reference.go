package api

// ReferenceQuery asks for the documentation of the Python API of a Blender: by a path or by words.
type ReferenceQuery struct {
	// Blender is the name or the version of the Blender; "" is the default Blender.
	Blender string
	// Path is a path as a script has it: "bpy.ops.mesh.primitive_cube_add", "Object.location",
	// "bpy.context.object.data.vertices" or `bpy.data.objects["Cube"]`. It is read and never executed.
	Path string
	// Words are what to look for, where Path is "".
	Words string
	// Max is how many entries the answer has at most, and how many members an entry; 0 is
	// [ReferenceEntries].
	Max int
}

const (
	// ReferenceEntries is how many entries an answer has where the query does not say it, and
	// MaxReference how many it may ask for.
	ReferenceEntries = 20
	MaxReference     = 1000
	// MaxReferenceQuery is how many bytes a path or words may have.
	MaxReferenceQuery = 1000
)

// Reference is what the documentation of the Python API of a Blender says to a [ReferenceQuery].
type Reference struct {
	// Blender is the name of the Blender, and Version its version.
	Blender string `json:"blender"`
	Version string `json:"version"`
	// Entries are what was found, the best first; Total is how many there are.
	Entries []ReferenceEntry `json:"entries"`
	Total   int              `json:"total"`
	// Replaced says what took the place of names of the query that this Blender does not have.
	Replaced []Replacement `json:"replaced"`
	// Similar are paths with a name like a name that was not found.
	Similar []string `json:"similar"`
}

// ReferenceEntry is one entry of the documentation.
type ReferenceEntry struct {
	Path string `json:"path"`
	// Kind is "class", "property", "method", "operator", "function", "module", "constant" or "socket".
	Kind string `json:"kind"`
	// Type is the type of a value, or how a function is called; of a class it is the class that it
	// inherits from.
	Type string `json:"type"`
	// Class is the class of the value, of the items of a collection, or of what a function returns; or "".
	Class string `json:"class"`
	Doc   string `json:"doc"`
	// Members are those of a class, a module or a collection, without those that it inherits. Their Doc
	// is one sentence. MoreMembers is how many are left out. Where the query has words there are none.
	Members     []ReferenceEntry `json:"members,omitempty"`
	MoreMembers int              `json:"more_members,omitempty"`
	// Inherits are the classes whose members a class has, too.
	Inherits []string `json:"inherits,omitempty"`
}

// Replacement says what took the place of a name that is not there, or is not there yet.
type Replacement struct {
	// Old is the name that this Blender does not have, and New what to write instead.
	Old string `json:"old"`
	New string `json:"new"`
	// Since is the version of Blender that has changed it.
	Since string `json:"since"`
	// Note says more, or is "".
	Note string `json:"note"`
	// Paths are entries of the documentation of this Blender about New.
	Paths []string `json:"paths"`
}
