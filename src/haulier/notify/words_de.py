"""The sentences of German; see words.py."""

from haulier.notify.words import Words

GERMAN = Words(
    title={
        "job.completed": "Ihr Download ist bereit: {name}",
        "job.expired": "Ihr Download war bereit: {name}",
        "job.failed": "Ihr Download ist fehlgeschlagen: {name}",
        "job.cancelled": "Ihr Download wurde abgebrochen: {name}",
        "test": "Ein Test Ihrer Benachrichtigungen",
        "confirm": "Bestätigen Sie Ihre E-Mail-Adresse",
    },
    lead={
        "job.completed": "Die angeforderte Datei kann heruntergeladen werden.",
        "job.expired": "Die angeforderte Datei war bereit, ist aber nicht mehr da. Bitte fordern Sie sie neu an.",
        "job.failed": "Die angeforderte Datei konnte nicht erstellt werden.",
        "job.cancelled": "Der Download wurde abgebrochen. Wenn Sie das nicht waren, sehen Sie auf seiner Seite nach.",
        "test": "Das ist ein Test. Benachrichtigungen zu Ihren Downloads erreichen Sie hier.",
        "confirm": "Jemand, vermutlich Sie, möchte hier erfahren, wann Downloads bereit sind.",
    },
    one_file="Datei {id}",
    files="{count} Dateien",
    button={
        "job.completed": "Herunterladen",
        "job.expired": "Ansehen",
        "job.failed": "Was ist passiert?",
        "job.cancelled": "Ansehen",
    },
    kept_until="Sie wird bis zum {moment} aufbewahrt.",
    reason="Der Grund: {reason}",
    moment="{day}. {month} {year}, {time} Uhr (UTC)",
    months=(
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ),
    code="Der Code zur Bestätigung:",
    code_ends="Der Code gilt {minutes} Minuten.",
    not_you="Wenn Sie das nicht waren, tun Sie nichts: Sie erhalten keine weiteren E-Mails.",
    why="Sie erhalten diese E-Mail, weil Sie zu Ihren Downloads benachrichtigt werden wollten.",
    stop="Keine weiteren E-Mails dieser Art",
)
