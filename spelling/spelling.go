// Package spelling says how far one word is from another, so that a program can name the word that was
// probably meant. It knows no words itself: who calls it says which there are, and how far is too far.
package spelling

// Distance returns how many letters are to be put in, taken out or changed to make b of a.
func Distance(a, b string) int {
	from, to := []rune(a), []rune(b)
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, letter := range from {
		before := row[0]
		row[0] = i + 1
		for j := range to {
			change := before
			if letter != to[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, before+1)
		}
	}
	return row[len(to)]
}
