// Calls a server with the library that glab is built on: whatever glab reads, this reads, with the same types.
// Each answer must be decodable, and say what it should; the first that does not ends the program with its text.
package main

import (
	"fmt"
	"io"
	"os"

	gitlab "gitlab.com/gitlab-org/api/client-go"
)

func must(what string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
		os.Exit(1)
	}
	fmt.Println("ok", what)
}

func want(what string, holds bool) {
	if !holds {
		fmt.Fprintf(os.Stderr, "%s: not as expected\n", what)
		os.Exit(1)
	}
}

func main() {
	url, token, path := os.Args[1], os.Args[2], os.Args[3]
	git, err := gitlab.NewClient(token, gitlab.WithBaseURL(url+"/api/v4"))
	must("client", err)

	_, _, err = git.Version.GetVersion()
	must("version", err)
	user, _, err := git.Users.CurrentUser()
	must("current user", err)
	want("current user", user.Username == "root" && user.CreatedAt != nil)
	project, _, err := git.Projects.GetProject(path, nil)
	must("project", err)
	want("project", project.PathWithNamespace == path && project.DefaultBranch == "main")
	pid := project.ID

	variables := []*gitlab.PipelineVariableOptions{
		{Key: gitlab.Ptr("COLOUR"), Value: gitlab.Ptr("blue")},
	}
	made, _, err := git.Pipelines.CreatePipeline(pid, &gitlab.CreatePipelineOptions{
		Ref: gitlab.Ptr("main"), Variables: &variables,
	})
	must("create pipeline", err)
	latest, _, err := git.Pipelines.GetLatestPipeline(pid, nil)
	must("latest pipeline", err)
	want("latest pipeline", latest.ID == made.ID && latest.CreatedAt != nil)
	given, _, err := git.Pipelines.GetPipelineVariables(pid, made.ID)
	must("variables of a pipeline", err)
	want("variables of a pipeline", len(given) == 1 && given[0].Value == "blue")
	pipelines, answer, err := git.Pipelines.ListProjectPipelines(pid, &gitlab.ListProjectPipelinesOptions{
		ListOptions: gitlab.ListOptions{PerPage: 1},
	})
	must("pipelines", err)
	want("pipelines", len(pipelines) == 1 && answer.NextPage == 2 && answer.TotalItems == 2)

	jobs, _, err := git.Jobs.ListPipelineJobs(pid, made.ID, nil)
	must("jobs", err)
	want("jobs", len(jobs) == 2)
	for _, job := range jobs {
		log, _, err := git.Jobs.GetTraceFile(pid, job.ID)
		must("log of "+job.Name, err)
		_, err = io.ReadAll(log)
		must("reading it", err)
		if job.Status == "manual" {
			played, _, err := git.Jobs.PlayJob(pid, job.ID, nil)
			must("play "+job.Name, err)
			want("play", played.Status == "pending")
		}
		_, _, err = git.Jobs.CancelJob(pid, job.ID)
		must("cancel "+job.Name, err)
		again, _, err := git.Jobs.RetryJob(pid, job.ID)
		must("retry "+job.Name, err)
		want("retry", again.ID != job.ID)
	}
	_, _, err = git.Jobs.ListPipelineBridges(pid, made.ID, nil)
	must("bridges", err)

	_, _, err = git.ProjectVariables.CreateVariable(pid, &gitlab.CreateProjectVariableOptions{
		Key: gitlab.Ptr("KEY"), Value: gitlab.Ptr("value"), EnvironmentScope: gitlab.Ptr("prod/*"),
	})
	must("create variable", err)
	changed, _, err := git.ProjectVariables.UpdateVariable(pid, "KEY", &gitlab.UpdateProjectVariableOptions{
		Value: gitlab.Ptr("other"), Filter: &gitlab.VariableFilter{EnvironmentScope: "prod/*"},
	})
	must("update variable", err)
	want("update variable", changed.Value == "other")
	_, err = git.ProjectVariables.RemoveVariable(pid, "KEY", nil)
	must("remove variable", err)

	_, _, err = git.RepositoryFiles.CreateFile(pid, "docs/new file.md", &gitlab.CreateFileOptions{
		Branch: gitlab.Ptr("next"), StartBranch: gitlab.Ptr("main"), Content: gitlab.Ptr("text\n"),
		CommitMessage: gitlab.Ptr("A file [skip ci]"),
	})
	must("create file", err)
	file, _, err := git.RepositoryFiles.GetFile(pid, "docs/new file.md", &gitlab.GetFileOptions{Ref: gitlab.Ptr("next")})
	must("file", err)
	want("file", file.Size == 5)
	tree, _, err := git.Repositories.ListTree(pid, &gitlab.ListTreeOptions{Ref: gitlab.Ptr("next")})
	must("tree", err)
	want("tree", len(tree) == 3)
	compared, _, err := git.Repositories.Compare(pid, &gitlab.CompareOptions{From: gitlab.Ptr("main"), To: gitlab.Ptr("next")})
	must("compare", err)
	want("compare", len(compared.Commits) == 1 && len(compared.Diffs) == 1)
	commit, _, err := git.Commits.GetCommit(pid, "next", nil)
	must("commit", err)
	_, _, err = git.Commits.SetCommitStatus(pid, commit.ID, &gitlab.SetCommitStatusOptions{
		State: gitlab.Success, Name: gitlab.Ptr("elsewhere"),
	})
	must("set commit status", err)
	statuses, _, err := git.Commits.GetCommitStatuses(pid, commit.ID, nil)
	must("commit statuses", err)
	want("commit statuses", len(statuses) == 1)
	_, _, err = git.Commits.ListCommits(pid, nil)
	must("commits", err)
	branches, _, err := git.Branches.ListBranches(pid, nil)
	must("branches", err)
	want("branches", len(branches) == 2)
	_, err = git.Branches.DeleteBranch(pid, "next")
	must("delete branch", err)
	_, _, err = git.Tags.CreateTag(pid, &gitlab.CreateTagOptions{TagName: gitlab.Ptr("v1"), Ref: gitlab.Ptr("main")})
	must("create tag", err)
	_, _, err = git.ProtectedBranches.ProtectRepositoryBranches(pid, &gitlab.ProtectRepositoryBranchesOptions{
		Name: gitlab.Ptr("release/*"),
	})
	must("protect branches", err)

	lint, _, err := git.Validate.ProjectLint(pid, &gitlab.ProjectLintOptions{})
	must("lint", err)
	want("lint", lint.Valid)
	_, _, err = git.PipelineSchedules.CreatePipelineSchedule(pid, &gitlab.CreatePipelineScheduleOptions{
		Description: gitlab.Ptr("nightly"), Ref: gitlab.Ptr("main"), Cron: gitlab.Ptr("0 3 * * *"),
	})
	must("create schedule", err)
	_, _, err = git.PipelineSchedules.ListPipelineSchedules(pid, nil)
	must("schedules", err)
	trigger, _, err := git.PipelineTriggers.AddPipelineTrigger(pid, &gitlab.AddPipelineTriggerOptions{Description: gitlab.Ptr("t")})
	must("add trigger", err)
	_, _, err = git.PipelineTriggers.RunPipelineTrigger(pid, &gitlab.RunPipelineTriggerOptions{
		Ref: gitlab.Ptr("main"), Token: gitlab.Ptr(trigger.Token), Variables: map[string]string{"A": "1"},
	})
	must("run trigger", err)
	_, _, err = git.Environments.ListEnvironments(pid, nil)
	must("environments", err)
	_, _, err = git.Deployments.ListProjectDeployments(pid, nil)
	must("deployments", err)

	group, _, err := git.Groups.CreateGroup(&gitlab.CreateGroupOptions{Name: gitlab.Ptr("Group"), Path: gitlab.Ptr("group")})
	must("create group", err)
	_, _, err = git.GroupVariables.CreateVariable(group.ID, &gitlab.CreateGroupVariableOptions{
		Key: gitlab.Ptr("KEY"), Value: gitlab.Ptr("value"),
	})
	must("create group variable", err)
	_, _, err = git.ProjectMembers.ListAllProjectMembers(pid, nil)
	must("members", err)
	runner, _, err := git.Users.CreateUserRunner(&gitlab.CreateUserRunnerOptions{
		RunnerType: gitlab.Ptr("project_type"), ProjectID: gitlab.Ptr(pid),
	})
	must("create runner", err)
	_, _, err = git.Runners.GetRunnerDetails(runner.ID)
	must("runner", err)
	_, _, err = git.Runners.ListRunners(nil)
	must("runners", err)
	_, _, err = git.Jobs.GetJob(pid, 999999)
	want("a job that is not there", err != nil)
	fmt.Println("ok all of it")
}
