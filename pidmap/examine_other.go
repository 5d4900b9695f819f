//go:build !darwin

package pidmap

// ExamineSystem is nil: this system is no Mac.
func ExamineSystem() *MacExamination { return nil }
