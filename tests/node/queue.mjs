// What the Node package of BullMQ sees of Haulier's queue, as one JSON object on standard output.
// node queue.mjs URL PREFIX [retry ID]
import { Queue } from "bullmq";
import IORedis from "ioredis";

const [url, prefix, action, id] = process.argv.slice(2);
const connection = new IORedis(url, { maxRetriesPerRequest: null });
const queue = new Queue("downloads", { connection, prefix });

if (action === "retry") await (await queue.getJob(id)).retry();

const seen = {};
for (const state of ["waiting", "active", "completed", "failed"]) {
  seen[state] = (await queue.getJobs([state])).map(({ id, name, data, opts, failedReason }) => ({
    id, name, data, attempts: opts.attempts, failedReason,
  }));
}
seen.counts = await queue.getJobCounts("waiting", "active", "completed", "failed");
console.log(JSON.stringify(seen));
await queue.close();
connection.disconnect();
