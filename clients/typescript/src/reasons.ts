import { HaulierError } from './errors.js'

/** Where the server's sentence, or the client's, is for those who write programs. The others are told as they are. */
const IN_ENGLISH: Readonly<Record<string, string>> = {
  artefact_expired: 'The file has expired.',
  forbidden: 'You may not do this.',
  idempotency_key_reused: 'This was asked for in another way before. Please try again.',
  invalid_request: 'This cannot be asked for.',
  job_not_found: 'This download does not exist, or it is not yours.',
  job_not_ready: 'The file is not ready yet.',
  network_error: 'The server did not answer. Please try again.',
  no_token: 'Please sign in again.',
  no_user: 'This page has not said who you are, so nothing can be asked for.',
  not_found: 'This server does not have that.',
  unauthenticated: 'Your sign-in is not valid, or has ended. Please sign in again.',
}

/** By code; tests/unit/test_reasons_in_german.py compares it with the server's errors. */
const IN_GERMAN: Readonly<Record<string, string>> = {
  artefact_damaged: 'Die vorbereitete Datei wurde beschädigt.',
  artefact_expired: 'Die Datei ist abgelaufen.',
  artefact_replaced: 'Die Datei wurde inzwischen ersetzt.',
  bad_recipe: 'Die Datei ist nicht richtig eingerichtet.',
  forbidden: 'Dazu fehlt Ihnen die Berechtigung.',
  idempotency_key_reused: 'Diese Anfrage wurde schon anders gestellt. Bitte versuchen Sie es erneut.',
  internal_error: 'Auf dem Server ist etwas schiefgegangen. Bitte versuchen Sie es erneut.',
  invalid_request: 'So kann das nicht angefordert werden.',
  job_finished: 'Der Auftrag ist schon beendet.',
  job_not_found: 'Diesen Auftrag gibt es nicht, oder er gehört Ihnen nicht.',
  job_not_ready: 'Die Datei ist noch nicht bereit.',
  job_not_retryable: 'Dieser Auftrag kann nicht wiederholt werden.',
  ledger_unavailable: 'Der Dienst ist gerade nicht verfügbar. Bitte versuchen Sie es gleich noch einmal.',
  network_error: 'Der Server hat nicht geantwortet. Bitte versuchen Sie es erneut.',
  no_token: 'Bitte melden Sie sich neu an.',
  no_user: 'Diese Seite hat nicht gesagt, wer Sie sind; so kann nichts angefordert werden.',
  not_found: 'Das gibt es auf diesem Server nicht.',
  preparation_failed: 'Die Datei konnte nicht vorbereitet werden.',
  query_failed: 'Die Datenbank kann die Abfrage nicht beantworten.',
  query_timed_out: 'Die Abfrage dauerte zu lange.',
  quota_exceeded: 'Das Tageskontingent ist aufgebraucht.',
  rate_limited: 'Zu viele Anfragen. Bitte warten Sie einen Moment.',
  source_changed: 'Die Quelle der Datei wurde während des Lesens geändert.',
  source_damaged: 'Die Quelle der Datei ist beschädigt.',
  source_denied: 'Der Zugriff auf die Quelle wurde verweigert.',
  source_missing: 'Die Quelle der Datei gibt es nicht mehr.',
  source_refused: 'Die Quelle der Datei ist nicht erlaubt.',
  source_too_large: 'Die Quelle ist zu groß.',
  source_truncated: 'Die Quelle der Datei ist unvollständig.',
  source_unavailable: 'Die Quelle war nicht erreichbar.',
  storage_failed: 'Die vorbereitete Datei konnte nicht gespeichert werden.',
  storage_unavailable: 'Der Dienst ist gerade nicht verfügbar. Bitte versuchen Sie es gleich noch einmal.',
  took_too_long: 'Die Vorbereitung dauerte zu lange.',
  unauthenticated: 'Ihre Anmeldung ist nicht gültig oder abgelaufen. Bitte melden Sie sich neu an.',
  unavailable: 'Der Dienst ist gerade nicht verfügbar. Bitte versuchen Sie es gleich noch einmal.',
  unknown_preparer: 'Die Datei kann hier nicht vorbereitet werden.',
  upload_lost: 'Ein Teil der Datei ging verloren.',
  worker_lost: 'Die Vorbereitung wurde unterbrochen.',
}

/** Why something did not succeed, for who wants the file. A code that is not known here is told in the server's own English. */
export function reasonIn(language: 'en' | 'de', error: Error): string {
  const words = language === 'de' ? IN_GERMAN : IN_ENGLISH
  return (error instanceof HaulierError && words[error.code]) || error.message
}
