import { useQuery } from "@tanstack/react-query";
import { configuration } from "../api/queries";
import { Heading, Table } from "../parts/Page";
import { Loaded, sentence } from "../parts/Problem";
import { Badge } from "../parts/Status";

/** Each setting in force and where it comes from; and how to set what is not. */
export function Page() {
  const found = useQuery(configuration);
  return (
    <>
      <Heading title="Configuration" sub="What is in force, and where it comes from: a flag goes before a variable, a variable before the file, the file before the default. Secrets are masked. It is changed on the server, and reread on SIGHUP." />
      <Loaded query={found} rows={8}>
        {({ settings, notes }) => (
          <>
            {notes.map((note) => (
              <p key={note} className="card mb-3 border-warn/50 px-4 py-3 text-warn">
                {sentence(note)}
              </p>
            ))}
            <Table label="Settings" head={["Setting", "Value", "From", "What it is"]}>
              {settings.map((setting) => (
                <tr key={setting.name}>
                  <td className="font-mono text-[0.8125rem] font-semibold">{setting.name}</td>
                  <td className="font-mono text-[0.8125rem] break-all">{setting.value ?? <Badge tone="plain">not set</Badge>}</td>
                  <td className="whitespace-nowrap text-muted">{setting.from === "not set" ? "–" : setting.from}</td>
                  <td>{setting.what}</td>
                </tr>
              ))}
            </Table>
          </>
        )}
      </Loaded>
    </>
  );
}
