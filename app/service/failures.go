package service

import (
	"strings"

	"blendtray/app/fault"
)

// Failure names a way in which a service can fail. [errors.Is] finds it in an error of this
// package.
type Failure string

// The failures. What each of them says, and what a person can do, is in the list below and in
// docs/service.md.
const (
	// The command asks for a service that there can't be.

	UserWithoutSystem Failure = "user-without-system"
	BadUserName       Failure = "bad-user-name"
	NoUserNamed       Failure = "no-user-named"
	TemporaryProgram  Failure = "temporary-program"
	SettingsWrong     Failure = "settings-wrong"
	BadPath           Failure = "bad-path"
	UserUnknown       Failure = "user-unknown"
	ProgramClosed     Failure = "program-closed"

	// The service is not there, or is not ours.

	NotInstalled    Failure = "not-installed"
	SeveralServices Failure = "several-services"
	Foreign         Failure = "foreign"
	Masked          Failure = "masked"
	OfPackage       Failure = "of-package"
	EnabledForAll   Failure = "enabled-for-all"

	// The system does not do what it is asked for.

	UnknownManager   Failure = "unknown-manager"
	NoUserManager    Failure = "no-user-manager"
	NoSystemManager  Failure = "no-system-manager"
	NoTaskScheduler  Failure = "no-task-scheduler"
	TaskLost         Failure = "task-lost"
	NotAdministrator Failure = "not-administrator"
	NotAllowed       Failure = "not-allowed"
	PasswordUnread   Failure = "password-unread"
	LogonFailed      Failure = "logon-failed"
	MarkedForRemoval Failure = "marked-for-removal"
	FileFailed       Failure = "file-failed"
	ManagerTimedOut  Failure = "manager-timed-out"
	ManagerFailed    Failure = "manager-failed"
	StillRunning     Failure = "still-running"

	// The service was started, and its process ended.

	SettingsRefused   Failure = "settings-refused"
	ProgramNotStarted Failure = "program-not-started"
	NotPrepared       Failure = "not-prepared"
	EndedWithCode     Failure = "ended-with-code"
	Killed            Failure = "killed"
	OutOfMemory       Failure = "out-of-memory"
	TookTooLong       Failure = "took-too-long"
	NoSignOfLife      Failure = "no-sign-of-life"
	FailedTooOften    Failure = "failed-too-often"
	EndedOtherwise    Failure = "ended-otherwise"

	// Warnings: the service works, but perhaps not as a person expects.

	NotLingering Failure = "not-lingering"
	NotEnabled   Failure = "not-enabled"
	EngineRuns   Failure = "engine-runs"
	Outdated     Failure = "outdated"
)

// explanation says what a failure is. A word in braces stands for a fact of the one case, such as
// {user}.
type explanation struct {
	failure Failure
	// code is the exit code; a warning has fault.OK.
	code int
	// sentence says what happened, hint what a person can do.
	sentence, hint string
}

var explanations = []explanation{
	{
		UserWithoutSystem, fault.Usage, "--user is for a service of the machine",
		"add --system, or leave --user out: a user's own service runs as that user",
	},
	{
		BadUserName, fault.Usage, `"{user}" is no name of a user`,
		"a name has letters, digits, dots, dashes and underscores in it",
	},
	{
		NoUserNamed, fault.Usage,
		"a service of the machine needs to know whose scripts it runs: it does not run as {administrator} unless --user {administrator} says so",
		"`" + asAdministrator + "blendtray service install --system --user {user}`",
	},
	{
		TemporaryProgram, fault.Failed, "{program} is temporary, and would be gone when the service starts",
		"`make build`, and then `build/blendtray service install`",
	},
	{
		SettingsWrong, fault.Config, "the service would not start, because the settings are wrong",
		"edit {file}; docs/settings.md explains every key",
	},
	{
		BadPath, fault.Failed, "{program} or BLENDTRAY_HOME can't be written to a service",
		"move the program, or the folder, to a path without control characters",
	},
	{
		UserUnknown, fault.Failed, "there is no user {user}",
		"make the user (on Linux: `sudo useradd --create-home {user}`), or name another one",
	},
	{
		ProgramClosed, fault.Failed, "{user} can't start {program}: {path} is closed to that user",
		"install the program where everybody may start it, for example in /usr/local/bin, and try again from there",
	},

	{NotInstalled, fault.NoEngine, "the service is not installed", "`blendtray service install` installs it"},
	{SeveralServices, fault.Usage, "there are services of {users}", "say which service: --user {user}"},
	{
		Foreign, fault.Failed, "{name} was not written by `blendtray service install`, and stays as it is",
		"remove it with the program that wrote it, or move it away, if you do not want it",
	},
	{Masked, fault.Failed, "{unit} is masked, so that nothing can start it", "`{systemctl} unmask {unit}`"},
	{
		OfPackage, fault.NoEngine, "the service does not run and does not start by itself; {file} belongs to a package and stays",
		"remove the package, if you do not want the file",
	},
	{
		EnabledForAll, fault.Failed, "the service is stopped, but an administrator has it start for every user",
		"`{systemctl} mask {unit}` for yourself, or `sudo systemctl --global disable {unit}` for all",
	},

	{
		UnknownManager, fault.Failed, "Blendtray does not know how this system ({system}) keeps services",
		"have the system start `blendtray serve` in its own way; it ends on SIGTERM and needs no terminal",
	},
	{
		NoUserManager, fault.Failed, "no systemd manager answers for this user",
		"log in to a session that systemd keeps (`machinectl shell {user}@` after su or sudo), or run `blendtray serve`",
	},
	{
		NoSystemManager, fault.Failed, "no systemd manager answers for this machine",
		"run `blendtray serve` instead, for example in a container",
	},
	{NoTaskScheduler, fault.Failed, "this Windows has no Task Scheduler", "start the tray at login instead"},
	{
		TaskLost, fault.Failed, "the Task Scheduler of this Windows accepted the task and does not have it",
		"start the tray at login instead",
	},
	{NotAdministrator, fault.Failed, "a service of the machine needs an administrator", becomeAdministrator},
	{NotAllowed, fault.Failed, "systemd does not allow it", "put sudo before the command"},
	{PasswordUnread, fault.Failed, "the password can't be read", "run this in a console"},
	{
		LogonFailed, fault.Failed, "the service can't log on",
		"install it again with the right password, and see that the user may log on as a service",
	},
	{
		MarkedForRemoval, fault.Failed, "the service that was removed is not gone yet",
		"close services.msc and the Task Manager, which keep it, and try again",
	},
	{
		FileFailed, fault.Failed, "the file of the service can't be read or written",
		"see to whom {file} and its folder belong",
	},
	{
		ManagerTimedOut, fault.Failed, "{command} did not end within {time}",
		"{log} may show what the command waits for",
	},
	{ManagerFailed, fault.Failed, "{command} failed", "{log} may say more"},
	{
		StillRunning, fault.Failed, "the service is removed, but could not be stopped",
		"end its engine: `blendtray status` names the process",
	},

	{
		SettingsRefused, fault.Failed, "its settings are wrong",
		"`blendtray doctor` says what is wrong in them; {log} shows what the service said",
	},
	{
		ProgramNotStarted, fault.Failed, "its program can't be started",
		"`blendtray service install` names the program anew; {log} shows what systemd said",
	},
	{
		NotPrepared, fault.Failed, "systemd can't prepare its process (exit code {code})",
		"{log} shows which step failed, and systemd.exec(5) explains the step",
	},
	{EndedWithCode, fault.Failed, "its process ended with exit code {code}", "{log} shows what it said"},
	{Killed, fault.Failed, "its process crashed or was killed", "{log} shows what it said"},
	{
		OutOfMemory, fault.Failed, "the system ended its process, because memory ran out",
		"blender.max_memory in the settings replaces a Blender before it takes too much",
	},
	{TookTooLong, fault.Failed, "its process did not start or end in time", "{log} shows what it waited for"},
	{
		NoSignOfLife, fault.Failed, "its process stood still, and systemd ended it",
		"{log} shows what came before",
	},
	{
		FailedTooOften, fault.Failed, "it failed too often in too short a time",
		"{log} shows why; `blendtray service start` starts it again",
	},
	{EndedOtherwise, fault.Failed, "its process ended: {result}", "{log} shows what it said"},

	{NotLingering, fault.OK, "it ends at logout", "`loginctl enable-linger` keeps it running without a login"},
	{NotEnabled, fault.OK, "it does not start by itself", "`blendtray service install` mends that"},
	{
		EngineRuns, fault.OK, "an engine runs already, so the service is not started now",
		"end that engine, then `blendtray service start`",
	},
	{
		Outdated, fault.OK, "{file} is of an earlier version, after whose crashes systemd does not start it again",
		"`{command}` writes it anew",
	},
}

// Error returns the name of the failure. A person is shown the text of an error that was made for
// the one case.
func (f Failure) Error() string { return string(f) }

// Explain returns what happened and what a person can do. facts are pairs of a word and what
// stands in its place: "user", "ada".
func (f Failure) Explain(facts ...string) (sentence, hint string) {
	e := f.explanation()
	fill := strings.NewReplacer(braces(facts)...)
	return fill.Replace(e.sentence), fill.Replace(e.hint)
}

func (f Failure) explanation() explanation {
	for _, e := range explanations {
		if e.failure == f {
			return e
		}
	}
	return explanation{f, fault.Failed, string(f), ""} // a test sees that every failure is in the list
}

// braces returns facts with each word in braces.
func braces(facts []string) []string {
	all := make([]string, len(facts))
	for i, text := range facts {
		if all[i] = text; i%2 == 0 {
			all[i] = "{" + text + "}"
		}
	}
	return all
}

// occurrence is a failure in one case.
type occurrence struct {
	failure Failure
	text    string
	cause   error
}

func (o *occurrence) Error() string {
	if o.cause != nil {
		return o.text + ": " + o.cause.Error()
	}
	return o.text
}

func (o *occurrence) Is(target error) bool { return target == o.failure }
func (o *occurrence) Unwrap() error        { return o.cause }

// Fail returns the error for a failure, with its exit code and hint. cause may be nil; facts are
// those of [Failure.Explain].
func Fail(f Failure, cause error, facts ...string) error {
	sentence, hint := f.Explain(facts...)
	return fault.New(f.explanation().code, hint, "%w", &occurrence{f, sentence, cause})
}
