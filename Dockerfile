# Two stages: compile with the development tools, run on a distroless Node.js image as a user that is not root.
# Probes are HTTP requests to the admin port, so no shell is needed.
FROM node:24-alpine AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build && npm prune --omit=dev

FROM gcr.io/distroless/nodejs24-debian12:nonroot
WORKDIR /app
ENV NODE_ENV=production NODE_OPTIONS=--max-semi-space-size=8
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
USER 65532:65532
EXPOSE 9200 9600
ENTRYPOINT ["/nodejs/bin/node", "/app/dist/main.js"]
CMD ["agent"]
