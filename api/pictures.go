package api

import (
	"path/filepath"
	"strings"
)

// PictureKind says how the picture in a file can be shown.
type PictureKind int

// The values of [PictureKind].
const (
	NoPicture    PictureKind = iota
	PlainPicture             // PNG, JPEG or WebP, which every program reads
	OtherPicture             // an image of another format, such as EXR, of which Blender makes a thumbnail
	MoviePicture             // a movie, of which Blender makes a thumbnail
)

// pictureKinds are the endings of the files that Blender writes with pictures in them.
var pictureKinds = map[string]PictureKind{
	".png": PlainPicture, ".jpg": PlainPicture, ".jpeg": PlainPicture, ".webp": PlainPicture,
	".exr": OtherPicture, ".hdr": OtherPicture, ".tif": OtherPicture, ".tiff": OtherPicture,
	".bmp": OtherPicture, ".tga": OtherPicture, ".rgb": OtherPicture, ".sgi": OtherPicture,
	".cin": OtherPicture, ".dpx": OtherPicture, ".jp2": OtherPicture, ".j2c": OtherPicture,
	".mp4": MoviePicture, ".avi": MoviePicture, ".mkv": MoviePicture, ".mov": MoviePicture,
	".mpg": MoviePicture, ".mpeg": MoviePicture, ".m4v": MoviePicture, ".ogv": MoviePicture,
	".ogg": MoviePicture, ".webm": MoviePicture, ".flv": MoviePicture, ".dv": MoviePicture,
}

// PictureKindOf returns the kind of the file at a path, by its ending.
func PictureKindOf(path string) PictureKind { return pictureKinds[strings.ToLower(filepath.Ext(path))] }
