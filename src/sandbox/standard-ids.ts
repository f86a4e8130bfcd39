/** Of the standard seed; they never change. */
export const ids = {
  northwind: 'NORTHWINDORG2345',
  tanaka: 'a3d1f0f6-5f0b-4f7e-8c55-0c1f0e7a9b21',
  ada: 'ADAHOSTBERLIN234',
  lena: 'LENAADMINBERLIN2',
  noah: '6f1c2e9a-3b7d-4c58-9a0e-2d4b8c7e1f35',
  mei: '0b9c4a52-7d1e-4e0b-b6f3-91a7c25d8e46',
  tomas: 'TOMASHOSTLISBON2',
  advisors: 'ADVISORYTEAM2345',
  thirtyMinutes: '2c8e6a10-94b3-4f5d-8a27-6e1d3b9c0f74',
  consultation: 'CONSULTATION2345',
  workshop: 'b7f5d3c1-0e2a-4d68-9c4b-5a8f7e6d1c20',
  introCall: 'e4a09b76-1c3d-4b52-8f0e-7d6c5b4a3928',
  studioVisit: '91d2c7e8-6b5a-4093-a1f4-3e2d1c0b9a87',
  teamCall: 'TEAMCALLROUNDRO2',
  panel: 'c6d8e4f2-3a1b-4c7d-9e50-8b7a6f5d4c3e',
  kickoff: 'KICKOFFMULTIPOO2'
}

export const tokens = {
  ada: 'sandbox-token-ada',
  adaSpare: 'sandbox-token-ada-spare',
  lena: 'sandbox-token-lena',
  noah: 'sandbox-token-noah',
  mei: 'sandbox-token-mei'
}
