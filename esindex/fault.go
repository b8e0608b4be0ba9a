package esindex

import (
	"errors"
	"fmt"
	"net/http"
	"os"
)

// fileFault keeps what is wrong with files that changed and can't be used,
// while what they held before stays in use. Its owner's lock guards it.
type fileFault struct {
	err  error
	told string // what was last told
	seen int    // how many looks in a row found a fault
}

// note keeps err, which is nil where all is well again, and returns what there
// is to tell, nil for nothing. A file that is missing or half written may be
// in the middle of a change: that is told at the second look, a second later.
func (f *fileFault) note(err error) (tell error) {
	if err == nil {
		*f = fileFault{}
		return nil
	}
	f.err = err
	f.seen++
	if f.seen < 2 && !errors.Is(err, os.ErrPermission) || err.Error() == f.told {
		return nil
	}
	f.told = err.Error()
	return fmt.Errorf("%w; what it held before stays in use", err)
}

// explain says in a 401 which credential was refused: the file it is from, and
// whether a newer one is there that can't be read.
func (s *secret) explain(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusUnauthorized {
		return err
	}
	if s == nil {
		e.Fix = "set es_api_key_file, es_api_key, or es_user with its password: none of them is set, and a variable of the environment that isn't set counts as empty"
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.files.paths) == 0 {
		return err
	}
	e.Fix = fmt.Sprintf("put a valid one into %s (%s); %s", s.files.paths[0], s.option, refusedWhy)
	if s.fault.err != nil {
		e.Reason = "refused is what the file held before, for it changed and can't be used"
		e.Fix = oneLine(s.fault.err.Error())
	}
	return err
}
