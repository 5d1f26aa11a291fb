# Two stages: compile with the development tools, run on a distroless Node.js image as a user that is not root. Probes are HTTP
# requests to the admin port, so no shell is needed. No install script runs: nothing that is shipped has one, and the
# Node.js that the development tools bring along would take the place of the image's own.
FROM node:24-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
COPY dashboard ./dashboard
RUN npm run build && npm prune --omit=dev --ignore-scripts --no-audit --no-fund

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=8
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
COPY --from=build /build/dashboard ./dashboard
USER 65532:65532
EXPOSE 9200 9600
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
CMD ["agent"]
