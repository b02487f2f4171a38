"""The shapes of the API's answers, in the notation of `shipline.server.http.forms`: what the OpenAPI document tells
and what the tests hold the answers to."""

from __future__ import annotations

_USER_BASIC = "id:int username public_email~ name state locked:bool avatar_url~ web_url"
_PIPELINE_BASIC = "id:int iid:int project_id:int sha ref status source created_at:ts updated_at:ts web_url name~*"
_MERGE_REQUEST = (
    "id:int iid:int project_id:int title description~ state created_at:ts updated_at:ts merged_by~:UserBasic "
    "merge_user~:UserBasic merged_at~:ts closed_by~:UserBasic closed_at~:ts target_branch source_branch "
    "user_notes_count:int upvotes:int downvotes:int author~:UserBasic assignees:[UserBasic] assignee~:UserBasic "
    "reviewers:list source_project_id:int target_project_id:int labels:[text] draft:bool work_in_progress:bool "
    "milestone~ merge_when_pipeline_succeeds:bool merge_status detailed_merge_status sha merge_commit_sha~ "
    "squash_commit_sha~ discussion_locked~:bool should_remove_source_branch~:bool force_remove_source_branch:bool "
    "prepared_at~:ts reference references:hash web_url time_stats:hash squash:bool squash_on_merge:bool "
    "task_completion_status:hash has_conflicts:bool blocking_discussions_resolved:bool"
)
_JOB_BASIC = (
    "id:int status stage name ref tag:bool coverage~:num allow_failure:bool created_at:ts started_at~:ts "
    "finished_at~:ts erased_at~:ts duration~:num queued_duration~:num user~:hash commit~:hash "
    "pipeline:PipelineBasic failure_reason* web_url project:hash"
)
_PROJECT_BASIC = (
    "id:int description~ name name_with_namespace path path_with_namespace created_at:ts default_branch~ "
    "tag_list:[text] topics:[text] ssh_url_to_repo http_url_to_repo web_url readme_url~ avatar_url~ "
    "star_count:int last_activity_at:ts namespace:Namespace"
)
_COMMIT = (
    "id short_id created_at parent_ids:[text] title message author_name author_email authored_date "
    "committer_name committer_email committed_date trailers:hash extended_trailers:hash web_url stats*:hash"
)
_RUNNER = (
    "id:int description~ ip_address~ active:bool paused:bool is_shared:bool runner_type name~ online:bool "
    "created_at:ts status job_execution_status"
)
_SCHEDULE = (
    "id:int description ref cron cron_timezone next_run_at~:ts active:bool created_at:ts updated_at:ts "
    "owner~:UserBasic"
)
_TOKEN = (
    "id:int name revoked:bool created_at:ts description~ scopes:[text] user_id:int last_used_at~:ts active:bool "
    "expires_at~:date"
)
_ACCESS_TOKEN = _TOKEN + " access_level~:int resource_type:project|group resource_id:int"
_MEMBER = _USER_BASIC + " access_level:int created_at:ts expires_at~:date membership_state"
_GROUP = (
    "id:int web_url name path description~ visibility avatar_url~ full_name full_path created_at:ts parent_id~:int "
    "max_artifacts_size~:int projects*:[Project]"
)
_DIFF_VERSION = (
    "id:int head_commit_sha base_commit_sha~ start_commit_sha~ created_at:ts merge_request_id:int state real_size "
    "patch_id_sha~"
)
_DEPLOY_TOKEN = "id:int name username expires_at~:ts scopes:[text] revoked:bool expired:bool"

SHAPES: dict[str, str] = {
    "UserBasic": _USER_BASIC,
    "User": _USER_BASIC + " created_at*:ts bio* bot*:bool email* is_admin*:bool",
    "Namespace": "id:int name path kind:user|group full_path parent_id~:int avatar_url~ web_url",
    "ProjectBasic": _PROJECT_BASIC,
    "Project": _PROJECT_BASIC
    + " archived:bool visibility:private|internal|public empty_repo:bool permissions*~:hash build_timeout:int "
    "ci_default_git_depth~:int ci_config_path~ shared_runners_enabled:bool group_runners_enabled:bool "
    "public_jobs:bool jobs_enabled:bool",
    "Group": _GROUP,
    "PullMirror": "id:int enabled:bool url update_status last_error~ last_update_started_at~:ts last_update_at~:ts "
    "last_successful_update_at~:ts",
    "Member": _MEMBER,
    "PipelineBasic": _PIPELINE_BASIC,
    "Pipeline": _PIPELINE_BASIC
    + " before_sha tag:bool yaml_errors~ user~:UserBasic started_at~:ts finished_at~:ts committed_at~:ts "
    "duration~:num queued_duration~:num coverage~ detailed_status:hash warnings:[text]",
    "JobBasic": _JOB_BASIC,
    "Job": _JOB_BASIC
    + " artifacts_file*:hash artifacts:[hash] runner~:hash runner_manager~:hash artifacts_expire_at~:ts "
    "archived:bool tag_list:[text]",
    "Bridge": _JOB_BASIC + " downstream_pipeline~:PipelineBasic",
    "Runner": _RUNNER,
    "RunnerDetails": _RUNNER
    + " tag_list:[text] run_untagged:bool locked:bool maximum_timeout~:int access_level version~ revision~ "
    "platform~ architecture~ contacted_at~:ts maintenance_note~ projects*:[hash] groups:[hash]",
    "RunnerManager": "id:int system_id version~ revision~ platform~ architecture~ created_at:ts contacted_at~:ts "
    "ip_address~ status job_execution_status",
    "CreatedRunner": "id:int token token_expires_at~:ts",
    "RunnerToken": "token token_expires_at~:ts",
    "Variable": "variable_type:env_var|file key value~ hidden*:bool protected*:bool masked*:bool raw*:bool "
    "environment_scope* description~*",
    "Schedule": _SCHEDULE,
    "ScheduleDetails": _SCHEDULE + " last_pipeline~:PipelineBasic variables:[Variable]",
    "Trigger": "id:int token description created_at:ts updated_at:ts last_used~:ts expires_at~:ts owner~:UserBasic",
    "Lint": "valid:bool errors:[text] warnings:[text] merged_yaml~ includes:[hash] jobs*:[hash]",
    "Commit": _COMMIT,
    "CommitDetail": _COMMIT + " status~ project_id:int last_pipeline~:PipelineBasic",
    "CommitStatus": "id:int sha ref status name target_url~ description~ created_at:ts started_at~:ts "
    "finished_at~:ts allow_failure:bool coverage~:num pipeline_id~:int author:UserBasic",
    "Diff": "diff collapsed:bool too_large:bool new_path old_path a_mode b_mode new_file:bool renamed_file:bool "
    "deleted_file:bool generated_file~:bool",
    "Branch": "name commit~:Commit merged:bool protected:bool developers_can_push:bool developers_can_merge:bool "
    "can_push:bool default:bool web_url",
    "Tag": "name message~ target commit~:Commit release~:hash protected:bool created_at~",
    "ProtectedBranch": "id:int name push_access_levels:[Access] merge_access_levels:[Access] allow_force_push:bool",
    "ProtectedTag": "name create_access_levels:[Access]",
    "Access": "id:int access_level:int access_level_description",
    "File": "file_name file_path size:int encoding content_sha256 ref blob_id commit_id last_commit_id "
    "execute_filemode:bool content",
    "WrittenFile": "file_path branch",
    "TreeEntry": "id name type:tree|blob|commit path mode",
    "Blob": "size:int encoding content sha",
    "Compare": "commit~:Commit commits:[Commit] diffs:[Diff] compare_timeout:bool compare_same_ref:bool web_url",
    "Ref": "type:branch|tag name",
    "Count": "count:int",
    "Environment": "id:int name slug external_url~ created_at:ts updated_at:ts tier project*:hash "
    "last_deployment~*:hash state auto_stop_at~:ts description~ auto_stop_setting",
    "Deployment": "id:int iid:int ref sha created_at:ts updated_at:ts user~:UserBasic environment~:hash "
    "deployable~:Job status",
    "Release": "tag_name description~ name created_at:ts released_at:ts upcoming_release:bool author~:UserBasic "
    "commit~:Commit milestones:list commit_path tag_path assets:hash evidences:list _links:hash",
    "ReleaseLink": "id:int name url direct_asset_url link_type",
    "ResourceGroup": "id:int key process_mode created_at:ts updated_at:ts",
    "Token": _TOKEN,
    "TokenWithToken": _TOKEN + " token",
    "AccessToken": _ACCESS_TOKEN,
    "AccessTokenWithToken": _ACCESS_TOKEN + " token",
    "Upload": "id:int size:int filename created_at:ts uploaded_by~:hash",
    "CreatedUpload": "id:int alt url full_path markdown",
    "Contributor": "name email commits:int additions:int deletions:int",
    "DeployToken": _DEPLOY_TOKEN,
    "DeployTokenWithToken": _DEPLOY_TOKEN + " token",
    "JobTokenScope": "inbound_enabled:bool outbound_enabled:bool",
    "Version": "version revision kas:hash enterprise:bool",
    "MergeRequestBasic": _MERGE_REQUEST,
    "MergeRequest": _MERGE_REQUEST
    + " subscribed:bool changes_count latest_build_started_at~:ts latest_build_finished_at~:ts "
    "first_deployed_to_production_at~:ts pipeline~:PipelineBasic head_pipeline~:Pipeline diff_refs:hash "
    "merge_error~ user:hash rebase_in_progress*:bool changes*:[Diff] overflow*:bool",
    "Note": "id:int type~ body author~:UserBasic created_at:ts updated_at:ts system:bool noteable_id:int "
    "noteable_type project_id:int resolvable:bool confidential:bool internal:bool imported:bool imported_from "
    "noteable_iid:int commands_changes:hash",
    "Rebase": "rebase_in_progress:bool",
    "Approvals": "id:int iid:int project_id:int title description~ state created_at:ts updated_at:ts "
    "user_has_approved:bool user_can_approve:bool approved:bool approved_by:[hash]",
    "DiffVersion": _DIFF_VERSION,
    "DiffVersionDetail": _DIFF_VERSION + " commits:[Commit] diffs:[Diff]",
    "Message": "message",
    "AllowedAgents": "allowed_agents:list job:hash pipeline:hash project:hash user:hash environment*:hash",
}
