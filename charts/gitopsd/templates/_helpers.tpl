{{- define "gitopsd.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "gitopsd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains (include "gitopsd.name" .) .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "gitopsd.name" .) | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- /* What lies in the whole cluster, or in namespaces of others, carries ours in its name. */ -}}
{{- define "gitopsd.foreign" -}}
{{- printf "%s:%s" (include "gitopsd.fullname" .) .Release.Namespace -}}
{{- end -}}

{{- define "gitopsd.selector" -}}
app.kubernetes.io/name: {{ include "gitopsd.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* The pod of helm test: other labels than gitopsd's pods have, or the Service would lead to it. */ -}}
{{- define "gitopsd.testSelector" -}}
app.kubernetes.io/name: {{ include "gitopsd.name" . }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gitopsd.labels" -}}
{{ include "gitopsd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "gitopsd.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "gitopsd.lease" -}}
{{- dig "leaderElection" "name" "gitopsd" .Values.config -}}
{{- end -}}

{{- /* Of every account: its namespaces, each once, over all accounts. */ -}}
{{- define "gitopsd.namespaces" -}}
{{- $found := list -}}
{{- range .Values.accounts }}{{ $found = concat $found .namespaces }}{{ end -}}
{{- $found | uniq | sortAlpha | toJson -}}
{{- end -}}

{{- /* What binds an account in a namespace: one role for all of them, or where there may be none, one in each. */ -}}
{{- define "gitopsd.role" -}}
{{- eq .Values.rbac.scope "cluster" | ternary "ClusterRole" "Role" -}}
{{- end -}}

{{- /* The kinds that live in namespaces, and Namespaces, which a Role in one lets read that one. */ -}}
{{- define "gitopsd.reads" -}}
- apiGroups: [""]
  resources:
    - configmaps
    - limitranges
    - namespaces
    - persistentvolumeclaims
    - pods
    - replicationcontrollers
    - resourcequotas
    - serviceaccounts
    - services
  verbs: [get, list, watch]
- apiGroups: [apps]
  resources: [daemonsets, deployments, replicasets, statefulsets]
  verbs: [get, list, watch]
- apiGroups: [autoscaling]
  resources: [horizontalpodautoscalers]
  verbs: [get, list, watch]
- apiGroups: [batch]
  resources: [cronjobs, jobs]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses, networkpolicies]
  verbs: [get, list, watch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [rolebindings, roles]
  verbs: [get, list, watch]
{{- range .Values.extraReads }}
- apiGroups: {{ toJson .apiGroups }}
  resources: {{ toJson .resources }}
  verbs: [get, list, watch]
{{- end }}
{{- end -}}

{{- /* Without rights in the whole cluster an environment is where its account is bound, and callers may stay unknown. */ -}}
{{- define "gitopsd.checkRights" -}}
{{- if and (not .Values.rbac.reviews) (or .Values.viewers .Values.scrapers .Values.ingress.enabled .Values.httpRoute.enabled) -}}
{{- fail "viewers, scrapers, ingress and httpRoute: with rbac.reviews false gitopsd cannot ask who a caller is, and answers nobody. Set it to true, or ask by kubectl exec: docs/troubleshooting.md" -}}
{{- end -}}
{{- if eq .Values.rbac.scope "namespaces" -}}
{{- $bound := dict -}}
{{- range .Values.accounts }}{{ $_ := set $bound .name .namespaces }}{{ end -}}
{{- range $one := .Values.config.environments -}}
{{- if not $one.namespaces -}}
{{- fail (printf "config.environments: %s needs namespaces, for with rbac.scope namespaces gitopsd has no rights elsewhere" $one.path) -}}
{{- end -}}
{{- range $one.namespaces -}}
{{- if not (has . (index $bound $one.serviceAccount)) -}}
{{- fail (printf "config.environments: %s may use %s, which is none of the namespaces of its account %s: %s. With rbac.scope namespaces name each by itself, in both places" $one.path . $one.serviceAccount (join ", " (index $bound $one.serviceAccount))) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The operator's file, with what only the chart can know. */ -}}
{{- define "gitopsd.config" -}}
{{- $names := list -}}
{{- range .Values.accounts }}{{ $names = append $names .name }}{{ end -}}
{{- range .Values.config.environments -}}
{{- if not .serviceAccount -}}
{{- fail (printf "config.environments: %s needs a serviceAccount, which is one of accounts: gitopsd's own account may write nothing" .path) -}}
{{- end -}}
{{- if not (has .serviceAccount $names) -}}
{{- fail (printf "config.environments: %s has serviceAccount %s, which is none of accounts: %s" .path .serviceAccount (join ", " $names)) -}}
{{- end -}}
{{- end -}}
{{- include "gitopsd.checkRights" . -}}
{{- $mounted := list -}}
{{- range .Values.credentials }}{{ $mounted = append $mounted .name }}{{ end -}}
{{- range .Values.extraVolumeMounts -}}
{{- with regexFind "^/var/run/secrets/gitopsd/[^/]+" .mountPath }}{{ $mounted = append $mounted (base .) }}{{ end -}}
{{- end -}}
{{- range regexFindAll "/var/run/secrets/gitopsd/[^/\\s\"]+" (toYaml .Values.config) -1 -}}
{{- if not (has (base .) $mounted) -}}
{{- fail (printf "config: %s is named there, and no entry of credentials or extraVolumeMounts is mounted at it: %s" . (join ", " $mounted)) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if has (upper .name) (list "GITOPSD_CONTEXT" "GITOPSD_KUBECONFIG" "GITOPSD_LEADERELECTION__ENABLED" "GITOPSD_NAMESPACE" "GITOPSD_SCOPE" "GITOPSD_SERVER__AUTH" "GITOPSD_SERVER__HOST" "GITOPSD_SERVER__PORT") -}}
{{- fail (printf "extraEnv: %s is the chart's own to set, so that the port asks strangers for a token, only one replica leads, and it reads where it has rights: take it out" .name) -}}
{{- end -}}
{{- end -}}
{{- $server := dict "host" "0.0.0.0" "port" 8080 "auth" "kubernetes" -}}
{{- $ours := dict "namespace" .Release.Namespace "scope" .Values.rbac.scope "server" $server -}}
{{- toYaml (mustMergeOverwrite (deepCopy .Values.config) $ours) -}}
{{- end -}}
