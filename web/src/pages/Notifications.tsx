import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { api, data } from "../api/client";
import type { Channel, ChannelTest, Delivery } from "../api/documents";
import { useOperation } from "../api/operations";
import { channels, deliveries } from "../api/queries";
import { Button, inputLook } from "../parts/Button";
import { Heading, Section, Table } from "../parts/Page";
import { Empty, Loaded, ProblemPanel, sentence } from "../parts/Problem";
import { Badge, Status, wordsOf } from "../parts/Status";
import { Ago } from "../parts/Time";
import { notifications as route } from "../routes";
import { Allowed } from "../session";

/** Who is told of what, whether it arrives, and what was told lately. */
export function Page() {
  const filter = route.useSearch();
  const navigate = useNavigate();
  const known = useQuery(channels);
  const found = useQuery(deliveries(filter));
  const change = (next: { channel?: string | undefined; open?: true | undefined }) => {
    const merged = { ...filter, ...next };
    void navigate({ to: "/notifications", search: { ...(merged.channel ? { channel: merged.channel } : {}), ...(merged.open ? { open: true } : {}) }, replace: true });
  };
  return (
    <>
      <Heading title="Notifications" sub="Who is told when a job fails, is late, or waits for an answer; and whether it has arrived." />
      <Loaded query={known}>
        {(all) =>
          all.length === 0 ? (
            <Empty title="Nobody is told of anything yet">
              Set <code className="font-mono">SLACK_WEBHOOK_URL</code>, or name channels (Slack, a webhook, e-mail) in the section <code className="font-mono">notifications</code> of the configuration file.
            </Empty>
          ) : (
            <div className="grid gap-3 lg:grid-cols-2">
              {all.map((channel) => (
                <One key={channel.name} channel={channel} />
              ))}
            </div>
          )
        }
      </Loaded>
      <Section
        title="Messages"
        aside={
          <span className="flex flex-wrap items-center gap-3">
            <label className="flex items-center gap-2">
              <input type="checkbox" checked={filter.open ?? false} onChange={(event) => change({ open: event.target.checked || undefined })} /> only those on their way
            </label>
            <select aria-label="Channel" className={`${inputLook} w-auto!`} value={filter.channel ?? ""} onChange={(event) => change({ channel: event.target.value || undefined })}>
              <option value="">every channel</option>
              {(known.data ?? []).map((channel) => (
                <option key={channel.name}>{channel.name}</option>
              ))}
            </select>
          </span>
        }
      >
        <Loaded query={found} rows={6}>
          {(all) =>
            all.length === 0 ? (
              <Empty title={filter.open ? "Nothing is on its way" : "No message was sent yet"}>{filter.open ? "Every message has arrived, or was given up." : "What the channels are told stands here, with what became of it."}</Empty>
            ) : (
              <Table label="Messages" head={["When", "Channel", "What", "State", "Tries"]} numeric={[4]}>
                {all.map((delivery) => (
                  <Message key={delivery.delivery} delivery={delivery} />
                ))}
              </Table>
            )
          }
        </Loaded>
      </Section>
    </>
  );
}

function Message({ delivery }: { delivery: Delivery }) {
  return (
    <tr>
      <td className="whitespace-nowrap">
        <Ago at={delivery.made} />
      </td>
      <td>{delivery.channel}</td>
      <td className="max-w-xl">
        <span className="break-words">{delivery.title ?? wordsOf(delivery.topic)}</span>
        <span className="block text-[0.8125rem] text-muted">
          {wordsOf(delivery.topic)}
          {delivery.run && (
            <>
              {" · "}
              <Link to="/runs/$run" params={{ run: delivery.run }} className="link font-mono">
                {delivery.run}
              </Link>
            </>
          )}
        </span>
        {delivery.error && <span className="block text-[0.8125rem] break-words text-bad">{sentence(delivery.error)}</span>}
      </td>
      <td className="whitespace-nowrap">
        <Status is={delivery.state} />
        {delivery.state === "tried" && (
          <span className="block text-[0.8125rem] text-muted">
            again <Ago at={delivery.due} />
          </span>
        )}
      </td>
      <td className="num">{delivery.attempts}</td>
    </tr>
  );
}

const kinds: Record<string, string> = { slack: "Slack", webhook: "a webhook", email: "e-mail" };

function One({ channel }: { channel: Channel }) {
  const test = useOperation<ChannelTest>(() => data(api.POST("/api/v1/notifications/test", { body: { channel: channel.name } })), ["deliveries"]);
  return (
    <article className="card p-4">
      <div className="flex flex-wrap items-start justify-between gap-3">
        <h2 className="font-semibold">
          {channel.name} <span className="font-normal text-muted">by {kinds[channel.kind] ?? channel.kind}</span>
        </h2>
        <Allowed role="operator" to="Test">
          <Button busy={test.isBusy} disabled={channel.unusable !== null} onClick={test.start}>
            Send a test
          </Button>
        </Allowed>
      </div>
      {channel.unusable && (
        <p className="mt-2">
          <Badge tone="bad">✕ cannot be used</Badge> {sentence(channel.unusable)}
        </p>
      )}
      <p className="mt-2 text-sm">
        <span className="text-muted">is told of</span> {channel.topics.length === 0 ? "nothing" : channel.topics.map(wordsOf).join(", ")}
      </p>
      <p className="text-sm text-muted">
        from <span className="font-mono text-[0.8125rem]">{channel.from}</span>
      </p>
      {test.error && (
        <div className="mt-3">
          <ProblemPanel error={test.error} />
        </div>
      )}
      {test.result && (
        <p role="status" className="mt-3">
          {test.result.arrived ? (
            <>
              <Badge tone="good">✓ taken</Badge> Is it where people look?
            </>
          ) : (
            <>
              <Badge tone="bad">✕ not delivered</Badge> {sentence(test.result.error ?? "it did not arrive")}
            </>
          )}
        </p>
      )}
    </article>
  );
}
