"""The table of symptoms. More telling ones come first.

A pattern is searched without regard to case; its named groups may stand in cause and remedy as {name}. `unless` is
a pattern whose presence rules the symptom out.
"""

from __future__ import annotations

import msgspec


class Symptom(msgspec.Struct, frozen=True):
    name: str
    pattern: str
    cause: str
    remedy: str
    unless: str = ""


_PULL = r"(image pull failed|Failed to pull image)[^\n]*"
_NO_IMAGE = r"(: not found|manifest unknown|name unknown)"
_POWERSHELL = r"(?-i:: :[A-Za-z_]\w*|\b(Get|Set|New|Remove|Test|Write|Import|Invoke|Copy|Move|Start)-[A-Z]\w+)"
_NO_ANSWER = r"(no such host|dial tcp|i/o timeout|context deadline exceeded)"

SYMPTOMS = [
    Symptom(
        "docker-tls",
        r"(client sent an HTTP request to an HTTPS server|http: server gave HTTP response to HTTPS client"
        r"|Cannot connect to the Docker daemon at tcp://\S+:2376)",
        "One side speaks TLS and the other does not: a registry without a certificate, or a Docker "
        "daemon whose port and "
        "TLS setting differ from the client's.",
        "For a registry, start the dind service with `--insecure-registry=NAME`. For the daemon, "
        "either DOCKER_HOST on "
        'port 2375 with DOCKER_TLS_CERTDIR: "" and `--tls=false`, or port 2376 with certificates.',
    ),
    Symptom(
        "docker-daemon",
        r"Cannot connect to the Docker daemon at (?P<where>\S+)|Timeout: Docker daemon not starting"
        r"|error during connect:.*docker",
        "The Docker daemon did not answer: the dind service was not ready yet, could not start, or is not where "
        "DOCKER_HOST points.",
        "Wait for it in before_script (`until docker info; do sleep 2; done`) or set "
        "HEALTHCHECK_TCP_PORT on the service; "
        "name the service docker:dind with `alias: docker`, and let the runner's configuration say "
        "`privileged = true`. "
        "What the service printed last is in the log above if it failed.",
    ),
    Symptom(
        "push-without-login",
        r"(unauthorized: authentication required|no basic auth credentials|authorization failed: no basic auth"
        r"|Get \"?https?://(?P<registry>[^/\s\"]+)/v2/\S*\"?: unauthorized)",
        "The registry wants a login, and the job has none for it or a wrong one.",
        'Log in before the push: `echo "$PASSWORD" | docker login -u "$USER" --password-stdin '
        "REGISTRY`, with the same "
        "registry name as in the image. Check that the two variables are defined for this branch (a "
        "protected variable "
        "is absent on unprotected ones).",
    ),
    Symptom(
        "login-refused",
        r"(Error response from daemon: login attempt to (?P<registry>\S+) failed|incorrect username or password)",
        "The registry refused the user name or the password.",
        "Try the same login by hand, and look for a wrong variable name, a newline at the end of the "
        "value, or a `$` in "
        "the password that was taken as a variable (mark the variable as raw).",
    ),
    Symptom(
        "login-without-value",
        r"(Error: Cannot perform an interactive login from a non TTY device|flag needs an argument: 'u' in -u"
        r"|Must provide --username with --password-stdin)",
        "The variable that holds the user name or the password is empty in this job.",
        "Define it in the project's variables, and check its environment scope and whether it is protected.",
    ),
    Symptom(
        "image-missing",
        rf"{_PULL}{_NO_IMAGE}",
        "The registry has no image of that name and tag.",
        "Correct the name or the tag; where variables make it up, see that they have values in this job, and that "
        "the job which pushes the image has run.",
    ),
    Symptom(
        "registry-away",
        rf"{_PULL}{_NO_ANSWER}",
        "The node could not reach the image's registry.",
        "Check the registry's name; then that the node can resolve it and gets through to it (its name server, its "
        "proxy, its network).",
    ),
    Symptom(
        "image-pull",
        r"(ErrImagePull|ImagePullBackOff|image pull failed|Failed to pull image|pull access denied "
        r"for (?P<image>\S+))",
        "The cluster could not get an image: the name or tag is wrong, a pull secret is missing or "
        "wrong, or the node "
        "does not reach the registry.",
        "Add `imagePullSecrets` to the pod's spec and see that the secret exists in the same namespace "
        "(`kubectl get secret NAME -n NAMESPACE`); for a job's own image set DOCKER_AUTH_CONFIG or "
        "image_pull_secrets. "
        "`kubectl describe pod` shows the registry's words.",
        unless=rf"{_PULL}({_NO_IMAGE}|{_NO_ANSWER})",
    ),
    Symptom(
        "image-blank",
        r"image name '(?P<image>[^'\s]+\s[^'\n]*)'",
        "The image's name, {image}, has a blank in it.",
        "An image is written as name:tag, for example python:3.12.",
    ),
    Symptom(
        "envsubst",
        r"(couldn't parse image (reference|name) \"?\$\{(?P<name>\w+)\}|InvalidImageName|invalid reference format"
        r"|image: \$\{(?P<left>\w+)\})",
        "A variable in the manifest or in a command was not replaced: it is not defined (or empty) "
        "in this job, is not "
        "exported, or is not written as ${{NAME}}.",
        "Define it under `variables:` globally or in the job, write ${{NAME}} in the manifest, run "
        "`envsubst < in > out`, "
        "and apply the file that it wrote.",
        unless=r"must be lowercase|image name '[^'\s]+\s",
    ),
    Symptom(
        "image-name",
        r"repository name( \(\S+\))? must be lowercase",
        "The name of an image has capital letters in it.",
        "Write it in small letters; of a variable that holds a branch or a project, take the one that "
        "ends in _SLUG.",
    ),
    Symptom(
        "volume",
        r"(MountVolume\.SetUp failed for volume \"(?P<volume>[^\"]+)\"|FailedMount"
        r"|persistentvolumeclaim \"[^\"]+\" not found|unbound (immediate )?PersistentVolumeClaims)",
        "A pod waits for one of its volumes: what it is to be filled from is not there, or cannot be reached from "
        "the node.",
        "Make the ConfigMap, Secret or PersistentVolumeClaim in the pod's namespace, under the very name "
        "that the pod or [runners.kubernetes.volumes] says. `kubectl describe pod` shows what is missing.",
    ),
    Symptom(
        "mtu",
        r"(SSL_ERROR_SYSCALL|TLS handshake timeout|net/http: TLS handshake)",
        "Large packets get lost on the way, often because the network's MTU is smaller than the 1500 "
        "that Docker in "
        "Docker assumes.",
        "Start the dind service with `--mtu=1450` (or the value of the node's network).",
    ),
    Symptom(
        "sandbox",
        r"FailedCreatePodSandBox",
        "The node could not set up the pod itself: its container engine or its network is at fault, not the job.",
        "The line says what the node met. An embedded cluster whose network is gone is made anew: "
        "`shipline cluster delete NAME`, then run the job again.",
    ),
    Symptom(
        "no-room",
        r"(timed out waiting for pod to start|\d+/\d+ nodes are available|FailedScheduling|Unschedulable)",
        "No node had room for the job's pod, or none fits its selectors and tolerations.",
        "Lower cpu_request and memory_request, add nodes, correct node_selector, or raise "
        "poll_timeout where nodes are "
        "added on demand.",
        unless=r"FailedMount|persistentvolumeclaim|FailedCreatePodSandBox",
    ),
    Symptom(
        "out-of-memory",
        r"(OOMKilled|out of memory|exit code:? 137|exit status 137|signal: killed|Cannot allocate memory)",
        "The job was killed, which most often is because it used more memory than its limit allows.",
        "Raise memory_limit (or helper_memory_limit, service_memory_limit) in the runner's "
        "configuration, or let the job "
        "run fewer processes at once.",
    ),
    Symptom(
        "storage-limit",
        r"(was evicted|\bEvicted): [^\n]*exceeds the [^\n]*limit",
        "The job wrote more to its disk than its pod may.",
        "Raise ephemeral_storage_limit (or the volume's size_limit) in [runners.kubernetes], or let the job write "
        "less.",
    ),
    Symptom(
        "pod-gone",
        r"(is disrupted|the pod \S+ is gone|was evicted|is being deleted by somebody else|pod \S+ not found)",
        "The cluster took the job's pod away: a drain, a spot node that ended, or a node that ran short.",
        "Retry the job, let `retry: {{when: runner_system_failure}}` do it, and give the job "
        "requests near to what it uses.",
        unless=r"was evicted: [^\n]*exceeds the [^\n]*limit",
    ),
    Symptom(
        "dns",
        r"(Could not resolve host:? ?(?P<host>[\w.-]*)|no such host|Temporary failure in name "
        r"resolution|bad address '"
        r"|server misbehaving|Name or service not known)",
        "A name was not resolved inside the job: it is misspelt, or the name server that the pod "
        "asks does not know it.",
        "For a service, use its alias. For a company's name, set dns_config or host_aliases in "
        "[runners.kubernetes]; "
        "inside Docker in Docker, start dind with `--dns=ADDRESS`.",
        unless=r"image pull failed: ",  # the node's names, not the job's
    ),
    Symptom(
        "certificate",
        r"x509: (?P<why>certificate[^\n]*|cannot validate[^\n]*)|SSL certificate problem|CERTIFICATE_VERIFY_FAILED",
        "A server's certificate is not trusted where the job runs, mostly a company's own authority.",
        "Bring the authority's certificate into the image or mount it (volumes.config_map), and for git set "
        "CI_SERVER_TLS_CA_FILE.",
    ),
    Symptom(
        "forbidden",
        r"(?P<who>system:serviceaccount:\S+|User \"[^\"]+\") cannot (?P<verb>\w+) resource \"?(?P<what>[\w/.]+)",
        "{who} may not {verb} {what} in the cluster.",
        "Give it a Role with that verb and bind it (kubectl create role, kubectl create "
        "rolebinding), or use another "
        "account.",
    ),
    Symptom(
        "cluster-unreachable",
        r"(The connection to the server \S+ was refused|Unable to connect to the server|the cluster "
        r"cannot be reached"
        r"|couldn't get current server API group list)",
        "The Kubernetes API did not answer at the address of the kubeconfig.",
        "Check the address in KUBECONFIG as seen from inside the job (127.0.0.1 there is the pod "
        "itself), and that the "
        "variable holds the file's content or its path, as the script expects.",
    ),
    Symptom(
        "kubeconfig",
        r"(error loading config file|no configuration has been provided|invalid configuration|yaml: .*kubeconfig"
        r"|illegal base64 data)",
        "kubectl got no usable kubeconfig.",
        "See that the variable with the kubeconfig is defined for this job, is of the type the "
        "script expects (a file "
        "variable holds a path), and was not base64-encoded twice.",
    ),
    Symptom(
        "webhook",
        r"(failed calling webhook \"?(?P<hook>[\w.-]+)|admission webhook \"(?P<denied>[^\"]+)\" denied)",
        "An admission webhook of the cluster refused the request or did not answer.",
        "Exempt the runner's namespace by label, or correct what the webhook asks for.",
    ),
    Symptom(
        "pull-policy",
        r"pull policy '?\"?(?P<policy>[\w-]+)'?\"? is not one of",
        "The job asks for a pull policy that the runner does not allow.",
        "Add it to allowed_pull_policies, or remove `pull_policy` from the job.",
    ),
    Symptom(
        "log-limit",
        r"Job's log exceeded limit of",
        "The log was cut at output_limit; what failed may stand in the part that is missing.",
        "Raise output_limit in the runner's configuration, or let the job print less.",
    ),
    Symptom(
        "no-shell",
        r"(has no shell|exec: \"?sh\"?: executable file not found|exec format error)",
        "The image cannot run the job's script: it has no sh, its entrypoint gets in the way, or it "
        "is built for another "
        "processor.",
        'Use an image with a shell, or `image: {{name: ..., entrypoint: [""]}}`.',
    ),
    Symptom(
        "permission",
        r"(could not lock config file|dubious ownership|Permission denied.*(/builds|/cache|HOME)"
        r"|(/builds|/cache)\S*: Permission denied)",
        "The image's user may not write where the job writes.",
        "Set HOME to a folder that user owns, or let the job run as another user (image:kubernetes:user).",
    ),
    Symptom(
        "powershell",
        rf"{_POWERSHELL}: (command )?not found",
        "The script is written for PowerShell, and jobs run in a shell of Unix here.",
        "Leave the jobs for Windows out: name the others with --job or --stage.",
    ),
    Symptom(
        "not-executable",
        r"(line \d+|sh: \d+|sh): (?P<script>[\w.-]*/[\w./-]+): Permission denied",
        "The file {script} is not marked as executable in git.",
        "Mark it and commit: `git update-index --chmod=+x {script}`; or call it by its shell: `sh {script}`.",
        unless=r"/builds\S*: Permission denied",
    ),
    Symptom(
        "line-ends",
        r"(\$'\\r': command not found|sh\^M: bad interpreter|cannot execute: required file not found)",
        "The program that the script's first line names is not there; most often the file has the line ends of "
        "Windows.",
        "Save it with line ends of Unix and commit `* text=auto eol=lf` in .gitattributes, or install the program.",
    ),
    Symptom(
        "left-open",
        r"(unexpected EOF while looking for matching|Unterminated quoted string|unterminated quoted string"
        r"|syntax error: unexpected end of file|end of file unexpected)",
        "A quote, a bracket, an `if` or a loop of the script is left open.",
        "Close it. What goes over several lines is one item of `script:`, behind `- |`.",
    ),
    Symptom(
        "unset-variable",
        r"(?P<name>\w+): (unbound variable|parameter not set)",
        "The variable {name} is not set in this job.",
        "Define it under `variables:` or give it with `--variable {name}=...`; what another job's dotenv report "
        "sets comes only to jobs that need or depend on that job.",
    ),
    Symptom(
        "no-downstream-jobs",
        r"rules configuration prevented any jobs from being added to the pipeline",
        "None of the downstream pipeline's jobs is for a pipeline of this kind.",
        'Give them rules that let them in, for example `- if: $CI_PIPELINE_SOURCE == "parent_pipeline"`: a job '
        "without rules is in no pipeline that a merge request's pipeline starts.",
    ),
    Symptom(
        "command-missing",
        r"(?P<command>[\w./-]+): (command )?not found(?!:)",
        "The command {command} is not where the job runs: in its image, or for a job in a shell on this machine.",
        "Install it in before_script or choose an image that has it.",
        unless=rf"image .* not found|manifest|{_POWERSHELL}: ",
    ),
    Symptom(
        "no-space",
        r"no space left on device|disk quota exceeded",
        "The disk is full where the job, Docker or the registry writes.",
        "Clean up images and volumes on the node, or mount a larger volume for what grows.",
    ),
    Symptom(
        "timeout",
        r"execution took longer than (?P<limit>\w+)",
        "The job ran into its timeout ({limit}).",
        "Raise `timeout:` of the job or the project; look in the log for the command that hung.",
    ),
]
