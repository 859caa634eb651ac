package watcher

import "testing"

func TestASaveThatIsNotTakenIsHandedOnAgain(t *testing.T) {
	t.Parallel()
	r := start(t)
	refuse := func(on bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.refusals = 0
		r.refuse = func(Save) bool { return on }
	}
	r.write("a.py", "1")
	r.gets("a.py", "1")
	refuse(true)
	r.write("a.py", "2")
	r.write("b.py", "1")
	r.until("both were refused", func() bool { return r.refusals >= 2 })
	refuse(false)
	r.gets("a.py", "2")
	r.gets("b.py", "1")
	r.wantTexts("a.py", "1", "2")
	r.wantTexts("b.py", "1")
}

func TestAScanIsNotOverBeforeAllItFoundIsTaken(t *testing.T) {
	t.Parallel()
	r := prepare(t)
	r.write("a.py", "1")
	r.write("b.py", "1")
	r.refuse = func(s Save) bool { return r.refusals < 2 }
	r.serve() // returns when the scan is over
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.saves) != 2 || r.refusals != 2 {
		t.Errorf("the scan was over with %d saves taken, %d refused", len(r.saves), r.refusals)
	}
}
