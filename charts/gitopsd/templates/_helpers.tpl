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
{{- if has (upper .name) (list "GITOPSD_CONTEXT" "GITOPSD_KUBECONFIG" "GITOPSD_LEADERELECTION__ENABLED" "GITOPSD_NAMESPACE" "GITOPSD_SERVER__AUTH" "GITOPSD_SERVER__HOST" "GITOPSD_SERVER__PORT") -}}
{{- fail (printf "extraEnv: %s is the chart's own to set, so that the port asks strangers for a token and only one replica leads: take it out" .name) -}}
{{- end -}}
{{- end -}}
{{- $server := dict "host" "0.0.0.0" "port" 8080 "auth" "kubernetes" -}}
{{- $ours := dict "namespace" .Release.Namespace "server" $server -}}
{{- toYaml (mustMergeOverwrite (deepCopy .Values.config) $ours) -}}
{{- end -}}
