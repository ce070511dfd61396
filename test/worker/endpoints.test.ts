import { afterEach, expect, it, vi } from "vitest";
import { newEndpoints } from "../../src/worker/endpoints.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

it.each(["/nowhere/at/all", "/proc", "/dev/null"])("sockets are in /tmp where TMPDIR is %s", async (folder) => {
  vi.stubEnv("TMPDIR", folder);
  const endpoints = newEndpoints("ipc");
  const places: string[] = [];
  await endpoints.bind({ bind: async (place: string) => places.push(place) && place } as never, "data");
  endpoints.remove();
  expect(places[0]).toMatch(/^ipc:\/\/\/tmp\/dictlearn-\w+\/data$/);
});
