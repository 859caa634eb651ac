package home

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// claims returns the folder of the claims of this user, and makes it.
func claims() ([]string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("find the folder of the claims: %w", err)
	}
	dir := filepath.Join(cache, "blendtray", "watched")
	return []string{dir}, os.MkdirAll(dir, 0o700)
}

// claimName returns the name of the claim for a folder, by its path without links.
func claimName(_ os.FileInfo, real string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(real)))
	return hex.EncodeToString(sum[:16])
}
