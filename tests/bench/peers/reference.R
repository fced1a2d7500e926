# The reference task as an R user writes it: furrr, jsonlite, data.table. Rscript reference.R ARCHIVE OUT.csv [WORKERS]
suppressPackageStartupMessages({
  library(data.table)
  library(furrr)
  library(jsonlite)
})

words <- commandArgs(trailingOnly = TRUE)
workers <- if (length(words) > 2) as.integer(words[3]) else 2L
signals <- c("odometry", "pose", "mission", "battery")

# The documents of some files: a data.table a signal.
read_some <- function(files) {
  documents <- lapply(files, function(file) fromJSON(gzfile(file)))
  robots <- basename(dirname(files))
  sapply(signals, function(signal) {
    rbindlist(Map(function(document, robot) {
      records <- document[[signal]]
      if (length(records) == 0) return(NULL)
      cbind(robot = robot, records)
    }, documents, robots))
  }, simplify = FALSE)
}

folder <- tempfile(tmpdir = dirname(words[2]))
dir.create(folder)
for (zip in sort(list.files(words[1], pattern = "[.]zip$", full.names = TRUE))) unzip(zip, exdir = folder)
files <- sort(list.files(folder, recursive = TRUE, full.names = TRUE))

plan(multicore, workers = workers)
parts <- future_map(split(files, cut(seq_along(files), workers * 4, labels = FALSE)), read_some)
read <- sapply(signals, function(signal) {
  all <- rbindlist(lapply(parts, `[[`, signal))
  all[, time := round(ts * 1000)][, ts := NULL]  # microseconds: exact in a double
  setkey(all, robot, time)
}, simplify = FALSE)
unlink(folder, recursive = TRUE)

# The missions with their nearest observations of every other signal.
rows <- read$mission
for (signal in c("pose", "odometry", "battery")) {
  tolerance <- c(pose = 1e6, odometry = 2e5, battery = 1e7)[[signal]]
  other <- copy(read[[signal]])
  own <- setdiff(names(other), c("robot", "time"))
  other[, at := time]
  found <- other[rows[, .(robot, time)], on = .(robot, time), roll = "nearest", mult = "last"]
  found[abs(at - time) > tolerance, (own) := NA]
  rows[, (paste0(signal, ".", own)) := found[, own, with = FALSE]]
}

# Mean, sd, min and max of what the rows show over the last 42 s.
value <- c("odometry.linear", "odometry.angular", "pose.score")
look <- rows[, .(robot, from = time - 42e6, to = time)]
windows <- rows[look, on = .(robot, time > from, time <= to), by = .EACHI, unlist(lapply(.SD, function(v) {
  v <- v[!is.na(v)]
  if (length(v) == 0) return(list(NA_real_, NA_real_, NA_real_, NA_real_))
  list(mean(v), sd(v), min(v), max(v))
}), recursive = FALSE), .SDcols = value]
names_of <- paste0(rep(value, each = 4), ".", c("mean", "std", "min", "max"), "_42s")
rows[, (names_of) := windows[, -(1:3)]]

# Whether a mission turns Aborted within the next 10 s.
onsets <- rows[, .(onset = time[state == "Aborted" & shift(state, fill = "Aborted") != "Aborted"]), by = robot]
onsets[, time := onset]
following <- onsets[rows[, .(robot, time = time + 1)], on = .(robot, time), roll = -Inf, onset]
rows[, label := !is.na(following) & following <= time + 1e7]

fwrite(rows, words[2])
