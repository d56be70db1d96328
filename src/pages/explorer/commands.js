/** The same call as commands for a shell. */

/** @param {import("./call.js").Sent} sent the JSON call */
export function curl(sent, token) {
  const headers = Object.entries(sent.headers).map(([name, value]) =>
    name === "authorization" ? `  -H "authorization: Bearer $TOKEN"` : `  -H ${quote(`${name}: ${value}`)}`,
  );
  const method = sent.method === "GET" ? "" : ` -X ${sent.method}`;
  const body = sent.body === undefined ? [] : [`  -d ${quote(sent.body)}`];
  return command(token, [`curl -i${method} ${quote(location.origin + sent.url)}`, ...headers, ...body]);
}

export function grpcurl(api, rpc, message, { token, timeout }) {
  const { protocol, hostname, port } = location;
  const options = [
    ...(protocol === "https:" ? [] : ["-plaintext"]),
    ...(api.reflection ? [] : [`-import-path proto -proto ${rpc.file}`]),
    ...(timeout ? [`-max-time ${timeout / 1000}`] : []),
  ];
  const header = token ? [`  -H "authorization: Bearer $TOKEN"`] : [];
  const data = Object.keys(message).length > 0 ? [`  -d ${quote(JSON.stringify(message))}`] : [];
  const address = `${hostname}:${port || (protocol === "https:" ? 443 : 80)}`;
  return command(token, [["grpcurl", ...options].join(" "), ...header, ...data, `  ${address} ${rpc.service}/${rpc.name}`]);
}

const command = (token, lines) => (token ? `TOKEN=${quote(token)}\n` : "") + lines.join(" \\\n");

const quote = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
